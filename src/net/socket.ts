/**
 * The only door to TCP and TLS sockets. A connection object owns its socket through `SocketOwner`; every event arrives
 * as a method call on it, so that the path has no closures and ownership can be handed on (detection → engine → tunnel).
 */
import type { ConnectionStats } from "./connection_stats.ts";
import { lendBuffer } from "./lent_buffer.ts";
import { openSockets } from "./open_sockets.ts";
import { forgetTurnMs } from "./turn_clock.ts";
import { connectMarked, MarkedConnect, markSocket } from "./marked_dial.ts";
import type { Socket, SocketHandler } from "bun";

/** A socket of Bun, with the members its type definitions leave out. */
export type RawSocket = Socket<SocketOwner> & {
  /** File descriptor; valid while open. */
  readonly fd: number;
};

/** Receives the events of one socket. */
export interface SocketOwner {
  /** Counts the connection's bytes, or null; goes with the socket when another owner takes it over. */
  stats: ConnectionStats | null;
  /** Connected (dialled sockets), or accepted. For TLS: the TCP connection stands, the handshake is still to come. */
  onOpen(socket: RawSocket): void;
  /** TLS handshake finished; see identity/verify for why `ok` alone proves nothing. */
  onHandshake(socket: RawSocket, ok: boolean, error: Error | null): void;
  /** Bytes arrived. The buffer is the callee's until it returns, or until it frees it when it keeps it (lent_buffer.ts). */
  onData(buffer: Buffer): void;
  /** The socket takes bytes again after a short write. */
  onDrain(): void;
  /** The peer has sent its FIN: no more bytes will come. */
  onEnd(): void;
  /** The socket is gone; last event. `error` is null when it closed in order. */
  onClose(error: Error | null): void;
  /** A dialled socket could not be connected; last event. */
  onConnectFailed(error: Error): void;
}

/** Makes the owner of an accepted socket. */
export type Acceptor = (socket: RawSocket) => SocketOwner;

/** TLS parameters as Bun's native sockets want them. */
export interface TlsOptions {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** Name the peer's certificate must bear as DNS SAN; also sent as SNI. Client side. */
  readonly serverName?: string;
  /** ALPN in wire format (each name preceded by its length); a plain name does not work. */
  readonly ALPNProtocols: Uint8Array;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized: boolean;
  /** As a number, 0x0304: the text form is refused natively. */
  readonly minVersion: number;
}

/** TLS 1.3, the only version spoken between sidecars. */
export const TLS_1_3 = 0x0304;

/** The counter of a socket that changes owners. */
export function statsOf(socket: RawSocket): ConnectionStats | null {
  const owner: SocketOwner | undefined = socket.data; // undefined until the first owner is set
  return owner === undefined ? null : owner.stats;
}

/** Hands the events of sockets to their owners. */
export const handlers: SocketHandler<SocketOwner> = {
  open(socket) {
    openSockets.count++;
    socket.data.onOpen(socket as RawSocket); // fd is missing in the type only
  },
  handshake(socket, ok, error) {
    socket.data.onHandshake(socket as RawSocket, ok, error);
  },
  data(socket, buffer) {
    forgetTurnMs();
    const owner = socket.data;
    if (owner.stats !== null) owner.stats.read += buffer.length;
    lendBuffer(owner, buffer);
  },
  drain(socket) {
    socket.data.onDrain();
  },
  end(socket) {
    socket.data.onEnd();
  },
  close(socket, error) {
    openSockets.count--;
    gone(socket.data, error ?? null);
  },
  error(socket, error) {
    // Thrown by one of these handlers: a bug. It costs this connection, whose state nobody can trust now, and no other.
    reportBug(error);
    socket.terminate();
  },
  connectError(socket, error) {
    socket.data.onConnectFailed(error);
  },
};

let reportBug: (error: Error) => void = (error) => console.error(error);

/** Says who is told of exceptions in handlers of sockets; by default they go to stderr. */
export function onSocketBug(report: (error: Error) => void): void {
  reportBug = report;
}

/** As the types want it: they lack the numeric minVersion and ALPN in binary. */
export function nativeTls(tls: TlsOptions | null): { tls?: Bun.TLSOptions } {
  return tls === null ? {} : { tls: tls as unknown as Bun.TLSOptions };
}

/**
 * Connects to an address. All outcomes, failures included, arrive at the owner; nothing is thrown.
 *
 * @param host IP address
 * @param port 1–65535
 * @param owner receives the events from here on
 * @param tls native TLS when given
 */
export function dial(host: string, port: number, owner: SocketOwner, tls: TlsOptions | null = null): void {
  if (tls === null && dialMark !== null) return dialMarked(host, port, owner, dialMark);
  try {
    Bun.connect<SocketOwner>({
      hostname: host,
      port,
      data: owner,
      allowHalfOpen: true,
      ...nativeTls(tls),
      socket: handlers,
    }).catch(ignore); // the failure has reached connectError
  } catch (cause) {
    // An address that the runtime does not take: port 70000, an empty host, a certificate that it cannot read.
    queueMicrotask(() => owner.onConnectFailed(cause as Error)); // the runtime throws errors only
  }
}

let dialMark: number | null = null;

/** Marks plain connections from here on (SO_MARK), so that capture lets them pass; see marked_dial.ts. */
export function setDialMark(mark: number): void {
  dialMark = mark;
}

/** Marks a socket for datagrams likewise, before it sends one. @returns false when that cannot be done */
export function markDatagrams(socket: Bun.udp.BaseUDPSocket): boolean {
  return dialMark === null || markSocket((socket as unknown as { readonly fd: number }).fd, dialMark); // missing in the type
}

function dialMarked(host: string, port: number, owner: SocketOwner, mark: number): void {
  const fd = connectMarked(host, port, mark);
  if (typeof fd === "string") return owner.onConnectFailed(new Error(fd));
  const options = { fd, data: new MarkedConnect(owner), allowHalfOpen: true, socket: handlers };
  // `fd` is missing in the type only.
  Bun.connect(options as unknown as Parameters<typeof Bun.connect<SocketOwner>>[0]).catch(ignore);
}

/** Code of an error of the system, for metrics. */
function errnoOf(error: Error): string {
  const { code } = error as { code?: unknown }; // present on errors of sockets
  return typeof code === "string" ? code : "error";
}

function gone(owner: SocketOwner | undefined, error: Error | null): void {
  if (owner === undefined) return; // its acceptor threw
  const { stats } = owner;
  owner.stats = null;
  stats?.close(error === null ? "" : errnoOf(error));
  owner.onClose(error);
}

function ignore(): void {}
