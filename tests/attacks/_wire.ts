/** An attacker's connection: raw bytes over TCP or TLS, with nothing that keeps it from misbehaving. */
import type { Socket } from "bun";

/** Longest wait for the victim to take bytes: beyond it the attack counts them as not taken and goes on. */
const STUCK_MS = 2_000;

export interface WireTarget {
  readonly host: string;
  readonly port: number;
  /** Address to connect from. */
  readonly from?: string;
  readonly tls?: WireTls;
}

export interface WireTls {
  readonly cert?: string;
  readonly key?: string;
  readonly serverName: string;
  /** In wire format. */
  readonly alpn: Uint8Array;
}

export class Wire implements Disposable {
  /** Bytes received. */
  received = 0;
  isClosed = false;
  /** Gets what arrives; by default it is dropped. */
  onData: (bytes: Buffer) => void = () => {};
  readonly #closed = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  #socket: Socket<undefined> | null = null;
  #wake: (() => void) | null = null;

  private constructor() {}

  /** Connects (with TLS: until the handshake is over); rejects when that fails, or takes longer than the time given. */
  static async open(target: WireTarget, timeoutMs = 10_000): Promise<Wire> {
    const wire = new Wire();
    const timer = setTimeout(() => wire.#ready.reject(new Error(`not connected in ${timeoutMs} ms`)), timeoutMs);
    wire.#dial(target).catch((cause) => wire.#ready.reject(cause));
    try {
      await wire.#ready.promise;
    } catch (cause) {
      wire.close();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
    return wire;
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Sends all bytes; false when the victim closed, or took nothing more for STUCK_MS. Never throws. */
  async send(data: Uint8Array | string): Promise<boolean> {
    let bytes: Uint8Array = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    while (bytes.length > 0) {
      if (this.isClosed || this.#socket === null) return false;
      const taken = this.#socket.write(bytes);
      if (taken < 0) return false;
      bytes = bytes.subarray(taken);
      if (bytes.length > 0 && !(await this.#writable())) return false;
    }
    return !this.isClosed;
  }

  /** Stops reading: what arrives from here on stays in the kernel. */
  deaf(): void {
    this.#socket?.pause();
  }

  /** Reads again. */
  listen(): void {
    this.#socket?.resume();
  }

  /** FIN; reading goes on. */
  end(): void {
    this.#socket?.shutdown();
  }

  close(): void {
    this.isClosed = true;
    this.#socket?.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #writable(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), STUCK_MS);
    this.#wake = () => resolve(true);
    const moved = await promise;
    clearTimeout(timer);
    this.#wake = null;
    return moved;
  }

  async #dial(target: WireTarget): Promise<void> {
    const { tls } = target;
    const options = {
      hostname: target.host,
      port: target.port,
      allowHalfOpen: true,
      ...(target.from === undefined ? {} : { localAddress: target.from }),
      ...(tls === undefined ? {} : { tls: nativeTls(tls) }),
      socket: {
        open: (socket: Socket<undefined>) => {
          this.#socket = socket;
          socket.setNoDelay(true);
          if (tls === undefined) this.#ready.resolve();
        },
        handshake: () => this.#ready.resolve(),
        data: (_: Socket<undefined>, bytes: Buffer) => {
          this.received += bytes.length;
          this.onData(bytes);
        },
        drain: () => this.#wake?.(),
        // The victim has said its last word; whether it would still listen is of no interest.
        end: () => this.#gone(),
        error: () => {},
        close: () => this.#gone(),
        connectError: (_: Socket<undefined>, error: Error) => {
          this.#ready.reject(error);
          this.#gone();
        },
      },
    };
    // `localAddress` and binary ALPN are missing in the type.
    await Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>);
  }

  #gone(): void {
    this.isClosed = true;
    this.#ready.reject(new Error("closed before it was ready"));
    this.#closed.resolve();
    this.#wake?.();
  }
}

/** As the runtime wants it; its types lack ALPN in binary. */
function nativeTls(tls: WireTls): Bun.TLSOptions {
  const identity = tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key };
  return {
    ...identity,
    serverName: tls.serverName,
    ALPNProtocols: tls.alpn,
    rejectUnauthorized: false,
  } as unknown as Bun.TLSOptions;
}
