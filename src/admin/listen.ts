/** Binds the admin server: hono behind the proxy's own HTTP/1.1 engine, whose sockets can be handed to another process. */
import { type Linked, LinkedList } from "../base/linked_list.ts";
import { listen, type ListenAt, type Listener } from "../net/listener.ts";
import { openSockets } from "../net/open_sockets.ts";
import { resetConnection } from "../net/reset.ts";
import type { RawSocket, SocketOwner } from "../net/socket.ts";
import { Http1Server } from "../http/http1_server.ts";
import type { Http1ServerOwner } from "../http/http1_server_owner.ts";
import { HeadCache } from "../wire/http1/head_cache.ts";
import type { RequestHead } from "../wire/http1/request_head.ts";
import type { Admin } from "./admin.ts";
import { AdminExchange } from "./exchange.ts";

/** Connections at a time: probes, a Prometheus or two, and people. More would be somebody who means harm. */
const MAX_CONNECTIONS = 256;
/** Where descriptors are few, so much of those that are not for the data path. */
const RESERVE_SHARE = 0.8;
/** How long answers may take to leave once the server has stopped listening, milliseconds. */
const RETIRE_MS = 2000;
/** Distinct heads that are remembered; a power of two. */
const HEADS = 16;

/** A server that listens. */
export interface AdminServer {
  readonly port: number;
  /** A further descriptor of its socket, for another process; -1 when there is none left. */
  duplicate(): number;
  /** Stops listening; resolves when what runs has been answered, a tap excepted: it goes on as long as the process. */
  retire(): Promise<void>;
  /** Stops; open connections are closed. */
  stop(): void;
}

/** Listens. Throws when the address cannot be had. @param at where, or a socket that listens; port 0 takes any */
export function listenAdmin(admin: Admin, at: ListenAt): AdminServer {
  return new Server(admin, at);
}

class Server implements AdminServer {
  readonly admin: Admin;
  readonly heads = new HeadCache<RequestHead>(HEADS);
  readonly connections = new LinkedList<Connection>();
  onIdle: () => void = () => {};
  readonly #listener: Listener;
  readonly #most = Math.min(MAX_CONNECTIONS, Math.floor(openSockets.reserved * RESERVE_SHARE));

  constructor(admin: Admin, at: ListenAt) {
    this.admin = admin;
    this.#listener = listen(at, () => new Accept(this));
  }

  /** Ends the connection that has waited longest without a request, when there are too many: a probe must always get in. */
  makeRoom(): void {
    if (!this.isFull) return;
    for (let { first: connection } = this.connections; connection !== null; connection = connection.after) {
      if (connection.isWaiting) return connection.end();
    }
  }

  get isFull(): boolean {
    return this.connections.size >= this.#most;
  }

  get port(): number {
    return this.#listener.port;
  }

  duplicate(): number {
    return this.#listener.duplicate();
  }

  retire(): Promise<void> {
    this.#listener.stop(false);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.onIdle = resolve;
    if (this.connections.size === 0) resolve();
    setTimeout(resolve, RETIRE_MS);
    return promise;
  }

  stop(): void {
    this.#listener.stop(true);
  }
}

/** An accepted connection, until it is made one of HTTP. */
class Accept implements SocketOwner {
  stats = null;
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  onOpen(socket: RawSocket): void {
    this.#server.makeRoom();
    if (this.#server.isFull) return resetConnection(socket);
    new Connection(this.#server, socket);
  }

  onHandshake(): void {}
  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
  onConnectFailed(): void {}
}

/** One request long: probes and scrapes come seldom, and an idle connection would keep timers, and memory, awake. */
class Connection implements Http1ServerOwner, Linked<Connection> {
  before: Connection | null = null;
  after: Connection | null = null;
  /** No request has come yet. */
  isWaiting = true;
  readonly #server: Server;
  readonly #socket: RawSocket;
  readonly #address: string;

  constructor(server: Server, socket: RawSocket) {
    this.#server = server;
    this.#socket = socket;
    this.#address = socket.remoteAddress;
    server.connections.add(this);
    new Http1Server(socket, this, server.heads);
  }

  onRequest(connection: Http1Server, request: RequestHead): void {
    connection.closing = true;
    this.isWaiting = false;
    const exchange = new AdminExchange(
      connection,
      request,
      (asked) => this.#server.admin.fetch(asked, { address: this.#address }),
    );
    connection.listener = exchange;
    exchange.start();
  }

  /** Makes room for another one. */
  end(): void {
    resetConnection(this.#socket);
  }

  onBadRequest(): void {}

  onClosed(): void {
    this.#server.connections.delete(this);
    if (this.#server.connections.size === 0) this.#server.onIdle();
  }
}
