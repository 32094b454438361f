/** A connection of the closed-loop client: plain or TLS, begun as soon as bytes may be sent. */
import type { Socket } from "bun";
import type { Meter } from "./_meter.ts";

export type LoopMode = "h1" | "h2" | "unary" | "server" | "bidi";

/** What runs on a connection. */
export interface Loop {
  begin(): void;
  receive(bytes: Buffer): void;
  drain(): void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Protocol to ask for by ALPN; null: no TLS. */
  readonly alpn: "h2" | "http/1.1" | null;
}

/** Number that no other request of this process has. */
let sequence = 0;
export function uniqueNumber(): number {
  return ++sequence;
}

/** TLS options of a client that trusts whoever answers: what it costs the proxy is the same. */
export function clientTls(alpn: "h2" | "http/1.1"): Bun.TLSOptions {
  const wire = Buffer.from(`${String.fromCharCode(alpn.length)}${alpn}`, "latin1");
  return { rejectUnauthorized: false, ALPNProtocols: wire } as Bun.TLSOptions; // the type lacks it
}

/** Connects and begins the loop; resolves once it has begun. A connection that ends while it is measured is a failure. */
export async function connectLoop(
  address: Address,
  make: (socket: Socket<Loop | null>) => Loop,
  meter: Meter,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const begin = (socket: Socket<Loop | null>) => {
    socket.data = make(socket);
    socket.data.begin();
    resolve();
  };
  const socket = Bun.connect<Loop | null>({
    hostname: address.host,
    port: address.port,
    data: null,
    ...(address.alpn === null ? {} : { tls: clientTls(address.alpn) }),
    socket: {
      open(socket) {
        socket.setNoDelay(true);
        if (address.alpn === null) begin(socket);
      },
      handshake(socket, ok) {
        if (ok) begin(socket);
        else reject(new Error("the TLS handshake failed"));
      },
      data(socket, bytes) {
        socket.data?.receive(bytes);
      },
      drain(socket) {
        socket.data?.drain();
      },
      close() {
        if (meter.isMeasuring) meter.fail("a connection was closed");
        reject(new Error("the connection was closed"));
      },
      error(_socket, error) {
        meter.fail(error.message);
      },
    },
  });
  await Promise.all([socket, promise]);
}
