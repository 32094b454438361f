/** Lines of text between two processes that share a pair of connected sockets: JSON in both directions. */
import type { Socket } from "bun";
import { dlopen, FFIType, ptr } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0x800 | 0x80000;
/** Longest line, characters: what a longer one would say is not for us. */
const MAX_LINE_CHARS = 64 * 1024;

/** @returns two connected descriptors that are closed by exec, the caller's to close; null when there are none left */
export function socketPair(): readonly [number, number] | null {
  const { i32 } = FFIType;
  const { symbols, close } = dlopen("libc.so.6", {
    socketpair: { args: [i32, i32, i32, FFIType.ptr], returns: i32 },
  });
  const pair = new Int32Array(new ArrayBuffer(8));
  const failed = symbols.socketpair(AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0, ptr(pair)) !== 0;
  close();
  return failed ? null : [pair[0] as number, pair[1] as number]; // filled in
}

/** Whom the channel tells. */
export interface LineChannelOwner {
  /** A line, without its line feed. */
  onLine(line: string): void;
  /** The other process has closed its end, or is gone. Last event. */
  onChannelClosed(): void;
}

/** One end. Lines that cannot be written at once wait; they are few and short. */
export class LineChannel {
  readonly #owner: LineChannelOwner;
  readonly #decoder = new TextDecoder();
  #socket: Socket | null = null;
  #received = "";
  #unsent = "";
  #closed = false;

  /** @param fd one end of a pair; the channel closes it */
  constructor(fd: number, owner: LineChannelOwner) {
    this.#owner = owner;
    const options = {
      fd,
      socket: {
        open: (socket: Socket) => this.#onOpen(socket),
        data: (_socket: Socket, data: Buffer) => this.#onData(data),
        drain: () => this.#flush(),
        end: (socket: Socket) => void socket.end(),
        close: () => this.#onClose(),
        error: () => this.#onClose(),
      },
    };
    // `fd` is missing in the type only.
    Bun.connect(options as unknown as Parameters<typeof Bun.connect>[0]).catch(() => this.#onClose());
  }

  send(line: string): void {
    this.#unsent += `${line}\n`;
    this.#flush();
  }

  close(): void {
    this.#closed = true;
    this.#socket?.end();
  }

  #onOpen(socket: Socket): void {
    this.#socket = socket;
    this.#flush();
    if (this.#closed) socket.end();
  }

  #flush(): void {
    if (this.#socket === null || this.#unsent === "") return;
    const bytes = new TextEncoder().encode(this.#unsent);
    const taken = Math.max(0, this.#socket.write(bytes));
    this.#unsent = new TextDecoder().decode(bytes.subarray(taken)); // lines are ASCII: JSON.stringify and our own words
  }

  #onData(data: Buffer): void {
    this.#received += this.#decoder.decode(data, { stream: true });
    const lines = this.#received.split("\n");
    this.#received = lines.pop() ?? "";
    for (const line of lines) this.#owner.onLine(line);
    if (this.#received.length > MAX_LINE_CHARS) this.#socket?.end();
  }

  #onClose(): void {
    if (this.#socket === null && this.#closed) return;
    const wasClosed = this.#closed;
    this.#closed = true;
    this.#socket = null;
    if (!wasClosed) this.#owner.onChannelClosed();
  }
}
