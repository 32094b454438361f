/** The connections of a node server, so that it can end without cutting what is under way. */
import type { Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import { Shares } from "./_shares.ts";

/** Most connections, shared by addresses: more than MAX_STREAMS proxies have, and fewer than the descriptors there usually are. */
const MAX_CONNECTIONS = 16_384;

export class Connections {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Of connections of any kind, so that none outlives the server. */
  readonly #sockets = new Set<TLSSocket>();
  #onEmpty: (() => void) | null = null;

  /** @param onSession told of each HTTP/2 session that begins */
  constructor(server: Http2SecureServer, onSession: (session: ServerHttp2Session) => void = () => {}) {
    this.#server = server;
    const shares = new Shares(MAX_CONNECTIONS);
    server.on("connection", (socket: TLSSocket) => { // before its handshake
      const address = socket.remoteAddress ?? "";
      if (!shares.enter(address)) return void socket.destroy();
      socket.once("close", () => shares.leave(address));
    });
    server.on("secureConnection", (socket: TLSSocket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
    });
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => {}); // the close that follows is all that matters
      session.on("close", () => this.#sessions.delete(session));
      onSession(session);
    });
    // Peers that are no TLS clients, or do not trust us, are their own trouble; without listeners they would be ours.
    server.on("tlsClientError", () => {});
    server.on("sessionError", () => {});
  }

  /** Stops accepting, lets what is under way end for `graceMs`, then closes what is left. */
  async end(graceMs: number): Promise<void> {
    this.#server.close();
    const emptied = new Promise<void>((resolve) => this.#onEmpty = resolve);
    for (const session of this.#sessions) session.close();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
    if (this.#sockets.size > 0) await Promise.race([emptied, late]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}
