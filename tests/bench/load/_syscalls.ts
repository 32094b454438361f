/** Blocking sockets and ppoll(2) by FFI, for the open-loop client alone. IPv4 only. */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { i32, u32, u64, i64, ptr: pointer } = FFIType;
const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: [i32, i32, i32], returns: i32 },
  connect: { args: [i32, pointer, u32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  send: { args: [i32, pointer, u64, i32], returns: i64 },
  recv: { args: [i32, pointer, u64, i32], returns: i64 },
  ppoll: { args: [pointer, u64, pointer, pointer], returns: i32 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
});

const [AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, MSG_DONTWAIT, MSG_NOSIGNAL] = [2, 1, 6, 1, 0x40, 0x4000];
const [POLLIN, POLLED] = [0x0001, 0x0019]; // POLLED: readable, error or hang-up
const PR_SET_TIMERSLACK = 29;

/** Memory whose address stays where it is: a Uint8Array of its own ArrayBuffer (others may be moved by the engine). */
function pinned(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

const inbox = pinned(256 * 1024);
const outbox = pinned(64 * 1024);

/** Lets waits end within a microsecond of their time rather than 50. */
export function useExactTimers(): void {
  libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

/** A connected socket; throws when nobody listens there. */
export function connectTcp(host: string, port: number): number {
  const address = pinned(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  new DataView(address.buffer).setUint16(2, port, false);
  address.set(host.split(".").map(Number), 4);
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  if (libc.connect(fd, ptr(address), 16) !== 0) throw new Error(`cannot connect to ${host}:${port}`);
  const one = pinned(4);
  one[0] = 1;
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ptr(one), 4);
  return fd;
}

/** Writes all of `bytes`; the messages of this client are far below any socket buffer. */
export function send(fd: number, bytes: Uint8Array): void {
  outbox.set(bytes);
  const sent = Number(libc.send(fd, ptr(outbox), bytes.length, MSG_NOSIGNAL));
  if (sent !== bytes.length) throw new Error(`send: ${sent} of ${bytes.length} bytes`);
}

/** What has arrived, valid until the next call; null when the peer has closed. */
export function receive(fd: number): Uint8Array | null {
  const got = Number(libc.recv(fd, ptr(inbox), inbox.length, MSG_DONTWAIT));
  return got <= 0 ? null : inbox.subarray(0, got);
}

/** A fixed set of descriptors to wait on. */
export class PollSet {
  readonly #entries: Uint8Array;
  readonly #view: DataView;
  readonly #timeout = pinned(16);
  readonly #count: number;

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#entries = pinned(8 * fds.length);
    this.#view = new DataView(this.#entries.buffer);
    fds.forEach((fd, at) => {
      this.#view.setInt32(8 * at, fd, true);
      this.#view.setInt16(8 * at + 4, POLLIN, true);
    });
  }

  /** Waits until a descriptor is readable or the time is over. */
  wait(ns: number): void {
    const time = new DataView(this.#timeout.buffer);
    time.setBigInt64(0, BigInt(Math.floor(ns / 1e9)), true);
    time.setBigInt64(8, BigInt(Math.floor(ns % 1e9)), true);
    libc.ppoll(ptr(this.#entries), this.#count, ptr(this.#timeout), null);
  }

  isReadable(at: number): boolean {
    return (this.#view.getInt16(8 * at + 6, true) & POLLED) !== 0;
  }
}
