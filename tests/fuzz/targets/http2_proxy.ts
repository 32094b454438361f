import { clientOf, TestEndpoint, TestPipeline } from "../../../src/proxy/exchange/exchange_fixture.ts";
import { readRequests } from "../../conformance/http1/reference.ts";
import { turn } from "../../support/fake_socket.ts";
import { PREFACE, settings, settingsAck } from "../../support/h2_peer.ts";
import { agree, chopped, holds, type Target } from "../target.ts";
import { H2_SEEDS, H2_TOKENS, h2Frames } from "./_http2.ts";
import { checkFrames } from "./_http2_checks.ts";

/** Rounds in which the application answers what has come. */
const ROUNDS = 4;

export const target: Target = {
  about:
    "HTTP/2 to HTTP/1.1: a client's frames through a proxy; the application is sent as many requests as the proxy saw",
  seeds: H2_SEEDS,
  dictionary: H2_TOKENS,
  maxBytes: 20_000,
  generate: (random) => h2Frames(random, "request"),
  async run(input) {
    const endpoint = new TestEndpoint(false);
    const pipeline = new TestPipeline([endpoint]);
    const client = clientOf(pipeline, true);
    client.peer.send(PREFACE, settings(), settingsAck());
    for (const piece of chopped(input)) client.socket.deliver(piece);
    const streams: Buffer[] = [];
    const answered: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await turn();
      for (const [at, { socket }] of endpoint.dialled.entries()) {
        streams[at] = Buffer.concat([streams[at] ?? Buffer.alloc(0), socket.take()]);
        const { messages, rest } = readRequests(streams[at]);
        holds(rest === "" || rest === "incomplete", `the application is sent ${rest}`);
        for (let n = answered[at] ?? 0; n < messages.length; n++) {
          answered[at] = n + 1;
          socket.deliver(answerTo(messages[n]?.method ?? ""));
        }
      }
    }
    checkFrames(client.socket.take(), input.length + 1_000, client.socket);
    const seen = pipeline.exchanges.map(({ request }) =>
      request.method === "CONNECT" ? request.method : `${request.method} ${request.path}`
    );
    for (const { method, target } of streams.flatMap((stream) => readRequests(stream).messages)) {
      const at = seen.indexOf(method === "CONNECT" ? method : `${method} ${target}`);
      holds(at >= 0, `the application is sent ${method} ${target}, which the proxy has not seen`);
      seen.splice(at, 1);
    }
    client.socket.reset();
    for (const { socket } of endpoint.dialled) socket.reset();
    await turn();
    agree("requests in flight at the end", endpoint.pending, 0);
    agree("exchanges begun and finished", pipeline.exchanges.length, pipeline.finishedCount);
  },
};

/** A tunnel is refused: behind one the bytes are no requests. */
function answerTo(method: string): string {
  if (method === "HEAD") return "HTTP/1.1 200 OK\r\n\r\n";
  if (method === "CONNECT") return "HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n";
  return "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
}
