/**
 * Plain connections whose socket bears a mark before it connects, so that capture lets them pass where the proxy and
 * its application are the same user (rootless). The runtime offers no hook before connect, hence the C library.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { ipBytes } from "../base/ip.ts";
import { libc } from "./_libc.ts";
import type { ConnectionStats } from "./connection_stats.ts";
import type { RawSocket, SocketOwner } from "./socket.ts";

const { i32, u32 } = FFIType;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_MARK = 36;
/** struct sockaddr_in6, the larger of the two. */
const SOCKADDR_BYTES = 28;

/** Opens what only marked connections need. */
function open() {
  return dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    connect: { args: [i32, FFIType.ptr, u32], returns: i32 },
  }).symbols;
}

let opened: ReturnType<typeof open> | null = null;

/** Backed by buffers of their own: see pinnedPtr(); these are referred to below. */
const value = new Uint32Array(new ArrayBuffer(4));
const address = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
const addressView = new DataView(address.buffer);

/**
 * Makes a marked socket that is connecting.
 *
 * @returns its descriptor, or a text that says what failed
 */
export function connectMarked(ip: string, port: number, mark: number): number | string {
  const bytes = ipBytes(ip);
  if (bytes === null) return `${ip} is not an IP address`;
  const family = bytes.length === 4 ? AF_INET : AF_INET6;
  const { socket, connect } = opened ??= open();
  const fd = socket(family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return "no socket: are there descriptors left?";
  if (!markSocket(fd, mark)) {
    libc.close(fd);
    return "cannot set SO_MARK: CAP_NET_ADMIN is missing in this network namespace";
  }
  address.fill(0);
  addressView.setUint16(0, family, true);
  addressView.setUint16(2, port);
  address.set(bytes, family === AF_INET ? 4 : 8);
  connect(fd, ptr(address), family === AF_INET ? 16 : SOCKADDR_BYTES); // EINPROGRESS: events say what became of it
  return fd;
}

/** Marks a socket that has sent nothing. @returns false without CAP_NET_ADMIN in this network namespace */
export function markSocket(fd: number, mark: number): boolean {
  value[0] = mark;
  return libc.setsockopt(fd, SOL_SOCKET, SO_MARK, ptr(value), 4) === 0;
}

/** Owner of a socket that is connecting; hands it on when it is connected. */
export class MarkedConnect implements SocketOwner {
  stats: ConnectionStats | null = null;
  readonly #owner: SocketOwner;
  #socket: RawSocket | null = null;

  constructor(owner: SocketOwner) {
    this.#owner = owner;
  }

  /** Comes at once and proves nothing. */
  onOpen(socket: RawSocket): void {
    this.#socket = socket;
  }

  /** The first one with an address at the other end says that the connection stands. */
  onDrain(): void {
    const socket = this.#socket;
    if (socket === null || !(socket.remotePort > 0)) return;
    socket.data = this.#owner;
    this.#owner.onOpen(socket);
  }

  onClose(error: Error | null): void {
    this.#owner.onConnectFailed(error ?? new Error("connection was not established"));
  }

  onConnectFailed(error: Error): void {
    this.#owner.onConnectFailed(error);
  }

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onData(_buffer: Buffer): void {}

  onEnd(): void {}
}
