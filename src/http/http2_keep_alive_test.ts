import { expect, test } from "bun:test";
import { ANSWER_LOOKS, Http2KeepAlive } from "./http2_keep_alive.ts";
import type { Http2Connection } from "./http2_connection.ts";
import { ByteSink } from "../base/byte_sink.ts";

/** The part of a connection that it uses. */
class Connection {
  readonly streams = new Map<number, unknown>();
  readonly #sink = new ByteSink(64);
  readonly outbox = { begin: () => this.#sink };
  ended = "";

  /** Bytes of PING frames so far. */
  get pings(): number {
    return this.#sink.length / 17;
  }

  dead(detail: string): void {
    this.ended = detail;
  }
}

function rig(): { connection: Connection; look(heard?: boolean): void } {
  const connection = new Connection();
  const keepAlive = new Http2KeepAlive(connection as unknown as Http2Connection); // see above
  return {
    connection,
    look(heard = false) {
      keepAlive.heard ||= heard;
      keepAlive.onTimer(0);
      keepAlive.stop(); // the real timer
    },
  };
}

test("Http2KeepAlive asks a silent peer at once while somebody waits, and gives it up without an answer", () => {
  const { connection, look } = rig();
  connection.streams.set(1, {});
  look(true);
  expect(connection.pings).toBe(0);
  look();
  expect(connection.pings).toBe(1);
  for (let i = 1; i < ANSWER_LOOKS; i++) look();
  expect(connection.ended).toBe("");
  look();
  expect(connection.ended).toBe("no answer to PING");
  expect(connection.pings).toBe(1);
});

test("Http2KeepAlive asks an idle peer now and then, and any byte is an answer", () => {
  const { connection, look } = rig();
  for (let i = 0; i < 4; i++) look();
  expect(connection.pings).toBe(0);
  look();
  expect(connection.pings).toBe(1);
  look();
  look(true);
  for (let i = 0; i < 4; i++) look();
  expect([connection.pings, connection.ended]).toEqual([1, ""]);
});
