/** TCP connections and listeners as tests want them: read() and write() that wait, half-close, and counting. */
import type { Socket } from "bun";

/** Unread bytes at which a peer stops reading from its socket. */
const PAUSE_BYTES = 1024 * 1024;

/** One TCP connection. Whoever opened or accepted it closes it; disposing terminates. */
export class TcpPeer implements Disposable {
  /** Bytes received so far. */
  received = 0;
  /** Resolves when the connection is gone, to the error's code ("ECONNRESET") or null for an orderly end. */
  readonly closed: Promise<string | null>;
  #socket: Socket<TcpPeer> | null = null;
  #chunks: Uint8Array[] = [];
  #unread = 0;
  #ended = false;
  #gone = false;
  #error: string | null = null;
  #wake: (() => void)[] = [];
  #writable: (() => void)[] = [];
  #resolveClosed: (error: string | null) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  get localPort(): number {
    return this.#socket?.localPort ?? 0;
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? "";
  }

  /** The next bytes; null after the peer's FIN. Rejects when the connection broke, or nothing came in time. */
  async read(timeoutMs = 20_000): Promise<Uint8Array | null> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        if (this.#unread >= PAUSE_BYTES && this.#unread - chunk.length < PAUSE_BYTES) this.#socket?.resume();
        this.#unread -= chunk.length;
        return chunk;
      }
      if (this.#error !== null) throw new Error(`connection broke: ${this.#error}`);
      if (this.#ended || this.#gone) return null;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing received for ${timeoutMs} ms`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake.push(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  /** Everything up to the peer's FIN. */
  async readAll(timeoutMs = 20_000): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = await this.read(timeoutMs);
      if (chunk === null) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }

  /** Exactly `length` bytes; rejects when the peer ends before. */
  async readExactly(length: number, timeoutMs = 20_000): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const chunk = await this.read(timeoutMs);
      if (chunk === null) throw new Error(`ended ${missing} bytes before ${length}`);
      chunks.push(chunk.subarray(0, missing));
      if (chunk.length > missing) this.unread(chunk.subarray(missing));
      missing -= Math.min(missing, chunk.length);
    }
    return Buffer.concat(chunks);
  }

  /** Puts bytes back, to be read first. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.unshift(bytes);
    this.#unread += bytes.length;
  }

  /** Sends all bytes, waiting while the peer does not take them. Rejects when the connection is gone. */
  async write(data: Uint8Array | string): Promise<void> {
    let bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    while (bytes.length > 0) {
      if (this.#gone || this.#socket === null) throw new Error(`connection is gone: ${this.#error ?? "closed"}`);
      const written = this.#socket.write(bytes);
      if (written < 0) throw new Error("connection is gone");
      bytes = bytes.subarray(written);
      if (bytes.length === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#writable.push(resolve);
      await promise;
    }
  }

  /** FIN: no more bytes will be sent; reading goes on. */
  end(): void {
    this.#socket?.shutdown();
  }

  terminate(): void {
    this.#socket?.terminate();
  }

  [Symbol.dispose](): void {
    this.terminate();
  }

  /** @internal Called by the socket's handlers. */
  attach(socket: Socket<TcpPeer>): void {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  /** @internal */
  onData(bytes: Uint8Array): void {
    this.received += bytes.length;
    this.#chunks.push(new Uint8Array(bytes));
    const before = this.#unread;
    this.#unread += bytes.length;
    if (before < PAUSE_BYTES && this.#unread >= PAUSE_BYTES) this.#socket?.pause();
    this.#notify(this.#wake);
  }

  /** @internal */
  onDrain(): void {
    this.#notify(this.#writable);
  }

  /** @internal */
  onEnd(): void {
    this.#ended = true;
    this.#notify(this.#wake);
  }

  /** @internal */
  onClose(error: string | null): void {
    this.#gone = true;
    this.#error ??= error;
    this.#notify(this.#wake);
    this.#notify(this.#writable);
    this.#resolveClosed(this.#error);
  }

  #notify(list: (() => void)[]): void {
    for (const wake of list.splice(0)) wake();
  }
}

const HANDLERS = {
  data: (socket: Socket<TcpPeer>, bytes: Uint8Array) => socket.data.onData(bytes),
  drain: (socket: Socket<TcpPeer>) => socket.data.onDrain(),
  end: (socket: Socket<TcpPeer>) => socket.data.onEnd(),
  close: (socket: Socket<TcpPeer>, error?: Error) => socket.data.onClose(error === undefined ? null : codeOf(error)),
  error: (socket: Socket<TcpPeer>, error: Error) => socket.data.onClose(codeOf(error)),
};

/** Connects; rejects when nobody accepts. */
export async function connectTcp(target: { readonly host: string; readonly port: number }): Promise<TcpPeer> {
  const peer = new TcpPeer();
  await Bun.connect<TcpPeer>({
    hostname: target.host,
    port: target.port,
    allowHalfOpen: true,
    data: peer,
    socket: {
      ...HANDLERS,
      open(socket) {
        socket.data = peer;
        peer.attach(socket);
      },
    },
  });
  return peer;
}

export interface TcpListener extends Disposable {
  readonly port: number;
  /** Connections accepted so far. */
  accepted(): number;
  /** Bytes received so far over all connections. */
  receivedBytes(): number;
  /** Connections that are open. */
  open(): ReadonlySet<TcpPeer>;
  /** Accepts no more; what was accepted goes on. */
  stop(): void;
}

/** Accepts connections and hands each to `serve`, whose failure ends that connection alone. */
export function listenTcp(host: string, port: number, serve: (peer: TcpPeer) => Promise<void>): TcpListener {
  let accepted = 0;
  let closedBytes = 0;
  const open = new Set<TcpPeer>();
  const listener = Bun.listen<TcpPeer>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...HANDLERS,
      open(socket) {
        const peer = new TcpPeer();
        socket.data = peer;
        peer.attach(socket);
        accepted++;
        open.add(peer);
        void peer.closed.then(() => {
          closedBytes += peer.received;
          open.delete(peer);
        });
        serve(peer).catch(() => peer.terminate());
      },
    },
  });
  return {
    port: listener.port,
    accepted: () => accepted,
    receivedBytes: () => [...open].reduce((sum, peer) => sum + peer.received, closedBytes),
    open: () => open,
    stop: () => listener.stop(false),
    [Symbol.dispose]: () => listener.stop(true),
  };
}

function codeOf(error: Error): string {
  return (error as { code?: string }).code ?? error.message; // system errors carry a code
}
