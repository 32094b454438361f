/** A connection whose socket is marked before it connects, as the proxy makes it where users cannot be told apart. */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { i32, u32 } = FFIType;
const libc = dlopen("libc.so.6", {
  socket: { args: [i32, i32, i32], returns: i32 },
  connect: { args: [i32, FFIType.ptr, u32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 },
}).symbols;

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_MARK = 36;

/** @returns what the other side answers, or the code of the error */
export function markedDial(ip: string, port: number, mark: number): Promise<string> {
  const fd = libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  const value = new Uint32Array(new ArrayBuffer(4));
  value[0] = mark;
  if (libc.setsockopt(fd, SOL_SOCKET, SO_MARK, ptr(value), 4) !== 0) throw new Error("cannot set SO_MARK");
  const address = new Uint8Array(new ArrayBuffer(16));
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  address.set(ip.split(".").map(Number), 4);
  libc.connect(fd, ptr(address), 16); // EINPROGRESS: `drain` or `close` says what became of it
  let text = "";
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = {
    fd,
    socket: {
      data: (_: unknown, bytes: Uint8Array) => void (text += new TextDecoder().decode(bytes)),
      close: (_: unknown, error?: { code?: string }) => resolve(error?.code ?? text),
    },
  };
  Bun.connect(options as unknown as Parameters<typeof Bun.connect>[0]); // `fd` is absent from bun-types
  return promise;
}
