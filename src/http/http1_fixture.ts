/** HTTP/1.1 connections between recording owners and a scripted socket, for their tests. */
import { FakeSocket, turn } from "../../tests/support/fake_socket.ts";
import { Recorder } from "../../tests/support/legs.ts";
import { HeadCache } from "../wire/http1/head_cache.ts";
import type { RequestHead } from "../wire/http1/request_head.ts";
import type { ResponseHead } from "../wire/http1/response_head.ts";
import { Http1Client, type Http1Request } from "./http1_client.ts";
import type { Http1ClientOwner } from "./http1_client_owner.ts";
import { Http1Server } from "./http1_server.ts";
import type { Http1ServerOwner } from "./http1_server_owner.ts";

/** What a server's owner saw. */
export class RecordingServer implements Http1ServerOwner {
  readonly events: string[] = [];
  readonly requests: RequestHead[] = [];
  readonly recorders: Recorder[] = [];
  readonly #consumes: boolean;
  serve: ((connection: Http1Server, request: RequestHead, recorder: Recorder) => void) | null = null;

  /** @param consumes gives credit for all data at once */
  constructor(consumes: boolean) {
    this.#consumes = consumes;
  }

  onRequest(connection: Http1Server, request: RequestHead): void {
    const recorder = new Recorder(this.#consumes);
    connection.listener = recorder;
    this.requests.push(request);
    this.recorders.push(recorder);
    recorder.onHead(connection, request.block, request.framing === 0);
    this.serve?.(connection, request, recorder);
  }

  onBadRequest(_connection: Http1Server, status: number): void {
    this.events.push(`bad ${status}`);
  }

  onClosed(): void {
    this.events.push("closed");
  }

  of(n: number): string[] {
    return (this.recorders[n] as Recorder).events; // the test made it
  }
}

export interface ServerSide {
  readonly socket: FakeSocket;
  readonly owner: RecordingServer;
  readonly connection: Http1Server;
  /** What the client has received since the last call. */
  received(): Promise<string>;
}

export function serve(consumes = true): ServerSide {
  const socket = new FakeSocket();
  const owner = new RecordingServer(consumes);
  const connection = new Http1Server(socket.raw, owner, new HeadCache<RequestHead>());
  return { socket, owner, connection, received: () => textOf(socket) };
}

/** What a client's owner saw. */
export class RecordingClient implements Http1ClientOwner {
  readonly events: string[] = [];

  onReusable(): void {
    this.events.push("reusable");
  }

  onClosed(): void {
    this.events.push("closed");
  }
}

export interface ClientSide {
  readonly socket: FakeSocket;
  readonly owner: RecordingClient;
  readonly connection: Http1Client;
  received(): Promise<string>;
}

export function connect(): ClientSide {
  const socket = new FakeSocket();
  const owner = new RecordingClient();
  const connection = new Http1Client(socket.raw, owner, new HeadCache<ResponseHead>());
  return { socket, owner, connection, received: () => textOf(socket) };
}

/** Begins a request whose events go to a new recorder. */
export function start(side: ClientSide, request: Http1Request = { minorVersion: 1, upgrade: "" }): Recorder {
  const recorder = new Recorder();
  side.connection.start(recorder, request);
  return recorder;
}

async function textOf(socket: FakeSocket): Promise<string> {
  await turn();
  return socket.take().toString("latin1");
}
