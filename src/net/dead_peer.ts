/**
 * What the kernel does about a peer that is gone without a word (a machine that lost power, a network that drops
 * everything): without these a connection to it lives on until somebody writes, and then for a quarter of an hour.
 */
import { libc, pinnedPtr } from "./_libc.ts";
import type { RawSocket } from "./socket.ts";

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

/** Silence before the kernel asks, seconds; and how often it asks, and how many questions may stay open. */
const IDLE_S = 30;
const INTERVAL_S = 10;
const COUNT = 3;
/** Bytes between sidecars that nobody acknowledges for so long end the connection: a few retransmissions even at high loss. */
const UNACKNOWLEDGED_MS = 15_000;

const value = new Int32Array(new ArrayBuffer(4));
const valuePtr = pinnedPtr(value);

function set(fd: number, level: number, option: number, number: number): void {
  value[0] = number;
  libc.setsockopt(fd, level, option, valuePtr, 4);
}

/** A peer that is silent for a minute and does not answer the kernel's probes is given up. */
export function probeSilentPeer(socket: RawSocket): void {
  const { fd } = socket;
  if (fd < 0) return;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, COUNT);
}

/** … and so is a sidecar that acknowledges nothing. Not for others: a slow reader may close its window for long. */
export function limitUnacknowledged(socket: RawSocket): void {
  if (socket.fd >= 0) set(socket.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}
