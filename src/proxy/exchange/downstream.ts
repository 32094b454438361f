/** The HTTP connection of a client, either version: turns its requests into exchanges of a pipeline. */
import type { Http1Server } from "../../http/http1_server.ts";
import type { Http1ServerOwner } from "../../http/http1_server_owner.ts";
import type { Http2Connection } from "../../http/http2_connection.ts";
import type { Http2Owner } from "../../http/http2_owner.ts";
import type { Http2Stream } from "../../http/http2_stream.ts";
import type { Refusal } from "../../http/refusal.ts";
import { COMMON_SHARE, type PeerShare } from "../../http/waiting_budget.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { REFUSED_STREAM } from "../../wire/http2/error_code.ts";
import { FRAMING_NONE } from "../../wire/http1/framing.ts";
import type { RequestHead } from "../../wire/http1/request_head.ts";
import { Exchange, type HttpPipeline } from "./exchange.ts";
import type { HttpContext } from "./http_context.ts";
import type { RequestShare } from "./request_share.ts";

const TOO_MANY = "too many of this client's requests are under way";

/** Told about the connection as a whole. */
export interface DownstreamOwner {
  /** A message that breaks HTTP was refused. */
  badRequest(context: HttpContext, status: number, detail: string): void;
  /** The connection is ended because of what the client did. */
  clientRefused(context: HttpContext, reason: Refusal, detail: string): void;
  /** The connection is gone. */
  downstreamClosed(downstream: Downstream): void;
  /** A stream that is not a request (an opaque connection between sidecars); returns true when it was taken. */
  takeStream(downstream: Downstream, stream: Http2Stream, head: HeaderBlock): boolean;
}

export class Downstream implements HttpContext, Http1ServerOwner, Http2Owner {
  readonly pipeline: HttpPipeline;
  readonly owner: DownstreamOwner;
  readonly client: string;
  readonly clientId: string | null;
  /** What the pipeline knows about the connection: its target, or its port. */
  readonly route: unknown;
  readonly clock: () => number;
  readonly random: () => number;
  connection: Http1Server | Http2Connection | null = null;
  /** The name that the address of the connection was pinned for when a request was last let through; "" for none. */
  heldName = "";
  readonly origin: RequestShare;

  /** @param requests counts the client's requests */
  constructor(
    pipeline: HttpPipeline,
    owner: DownstreamOwner,
    client: string,
    clientId: string | null,
    route: unknown,
    clock: () => number,
    random: () => number,
    requests: RequestShare,
  ) {
    this.pipeline = pipeline;
    this.owner = owner;
    this.client = client;
    this.clientId = clientId;
    this.route = route;
    this.clock = clock;
    this.random = random;
    this.origin = requests;
  }

  get share(): PeerShare {
    return this.connection === null ? COMMON_SHARE : this.connection.share;
  }

  requestEnded(): void {
    this.origin.end();
  }

  /** Lets what runs finish, then closes. */
  shutdown(patient: boolean): void {
    this.connection?.shutdown(patient);
  }

  // --- HTTP/1.1, and HTTP/2 when a stream is given

  onRequest(connection: Http1Server, request: RequestHead): void;
  onRequest(connection: Http2Connection, stream: Http2Stream, head: HeaderBlock, end: boolean): void;
  onRequest(
    connection: Http1Server | Http2Connection,
    what: RequestHead | Http2Stream,
    head?: HeaderBlock,
    end?: boolean,
  ): void {
    if (head === undefined) this.#http1Request(connection as Http1Server, what as RequestHead); // by the first overload
    else this.#http2Request(what as Http2Stream, head, end === true); // by the second
  }

  onBadRequest(_connection: Http1Server | Http2Connection, status: number, detail: string): void {
    this.owner.badRequest(this, status, detail);
  }

  onRefused(_connection: Http2Connection, reason: Refusal, detail: string): void {
    this.owner.clientRefused(this, reason, detail);
  }

  onClosed(_connection: Http1Server | Http2Connection, _detail?: string): void {
    this.owner.downstreamClosed(this);
  }

  onDraining(_connection: Http2Connection): void {}

  onIdle(_connection: Http2Connection): void {}

  onReady(_connection: Http2Connection): void {}

  #http1Request(connection: Http1Server, request: RequestHead): void {
    if (!this.origin.begin()) {
      this.owner.clientRefused(this, "request_share", TOO_MANY);
      return connection.refuseRequest(503, "overloaded", TOO_MANY);
    }
    const end = request.framing === FRAMING_NONE;
    const { block, upgrade } = request;
    const exchange = new Exchange(this.pipeline, this, connection, block, end, this.clock(), upgrade);
    exchange.clientMinorVersion = request.minorVersion;
    connection.listener = exchange;
    this.pipeline.route(exchange);
  }

  #http2Request(stream: Http2Stream, head: HeaderBlock, end: boolean): void {
    if (head.protocol !== "" && this.owner.takeStream(this, stream, head)) return;
    if (!this.origin.begin()) {
      this.owner.clientRefused(this, "request_share", TOO_MANY);
      return stream.abort(REFUSED_STREAM);
    }
    const exchange = new Exchange(this.pipeline, this, stream, head, end, this.clock());
    stream.listener = exchange;
    this.pipeline.route(exchange);
  }
}
