/** An HTTP/2 connection between a recording owner and a scripted peer, for its tests. */
import { FakeSocket } from "../../tests/support/fake_socket.ts";
import { H2Peer, PREFACE, settings, settingsAck } from "../../tests/support/h2_peer.ts";
import { Recorder } from "../../tests/support/legs.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import { Http2Connection } from "./http2_connection.ts";
import type { Http2Owner } from "./http2_owner.ts";
import type { Http2Stream } from "./http2_stream.ts";
import type { Refusal } from "./refusal.ts";

/** What a server's owner saw. */
export class RecordingOwner implements Http2Owner {
  readonly events: string[] = [];
  readonly refusals: Refusal[] = [];
  readonly badRequests: number[] = [];
  readonly streams: Http2Stream[] = [];
  readonly recorders: Recorder[] = [];
  readonly #consumes: boolean;
  /** Called for each request, after its recorder is in place. */
  serve: ((stream: Http2Stream, head: HeaderBlock, end: boolean) => void) | null = null;

  /** @param consumes gives credit for all data at once */
  constructor(consumes: boolean) {
    this.#consumes = consumes;
  }

  onRequest(_connection: Http2Connection, stream: Http2Stream, head: HeaderBlock, end: boolean): void {
    const recorder = new Recorder(this.#consumes);
    stream.listener = recorder;
    this.streams.push(stream);
    this.recorders.push(recorder);
    recorder.onHead(stream, head, end);
    this.serve?.(stream, head, end);
  }

  onBadRequest(_connection: Http2Connection, status: number): void {
    this.badRequests.push(status);
  }

  onDraining(): void {
    this.events.push("draining");
  }

  onIdle(): void {
    this.events.push("idle");
  }

  onReady(): void {
    this.events.push("ready");
  }

  onRefused(_connection: Http2Connection, reason: Refusal): void {
    this.refusals.push(reason);
  }

  onClosed(_connection: Http2Connection, detail: string): void {
    this.events.push(`closed ${detail}`);
  }

  /** The events of the n-th request. */
  of(n: number): string[] {
    return (this.recorders[n] as Recorder).events; // the test made it
  }
}

export interface Pair {
  readonly socket: FakeSocket;
  readonly peer: H2Peer;
  readonly owner: RecordingOwner;
  readonly connection: Http2Connection;
}

/** A server whose client has sent preface and SETTINGS; the frames of that are gone. */
export async function server(
  peerSettings: Readonly<Record<number, number>> = {},
  { consumes = true, mesh = false }: { consumes?: boolean; mesh?: boolean } = {},
): Promise<Pair> {
  const socket = new FakeSocket();
  const owner = new RecordingOwner(consumes);
  const connection = new Http2Connection(socket.raw, true, mesh, owner);
  const peer = new H2Peer(socket);
  peer.send(PREFACE, settings(peerSettings), settingsAck());
  await peer.frames();
  return { socket, peer, owner, connection };
}

/** A client whose server has sent SETTINGS; the frames of that are gone. */
export async function client(
  peerSettings: Readonly<Record<number, number>> = {},
  mesh = false,
): Promise<Pair> {
  const socket = new FakeSocket();
  const owner = new RecordingOwner(true);
  const connection = new Http2Connection(socket.raw, false, mesh, owner);
  const peer = new H2Peer(socket, true);
  peer.send(settings(peerSettings), settingsAck());
  await peer.frames();
  return { socket, peer, owner, connection };
}

/** Opens a stream with a recorder, and sends its head. */
export function open(pair: Pair, head: HeaderBlock, end: boolean): { stream: Http2Stream; recorder: Recorder } {
  const stream = pair.connection.open();
  const recorder = new Recorder();
  stream.listener = recorder;
  stream.sendHead(head, end, "");
  return { stream, recorder };
}
