import { clientOf, TestEndpoint, TestPipeline } from "../../../src/proxy/exchange/exchange_fixture.ts";
import { readRequests, readResponses } from "../../conformance/http1/reference.ts";
import { turn } from "../../support/fake_socket.ts";
import { readByLlhttp } from "../../support/llhttp.ts";
import { agree, chopped, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, REQUEST_SEEDS } from "./_http1.ts";

/** Rounds in which the application answers what has come. */
const ROUNDS = 6;

export const target: Target = {
  about:
    "request smuggling: a client's bytes through a proxy; the application is sent as many requests as the proxy saw",
  seeds: REQUEST_SEEDS,
  dictionary: HTTP1_TOKENS,
  generate: (random) => http1Messages(random, "request"),
  async run(input) {
    const endpoint = new TestEndpoint(false);
    const pipeline = new TestPipeline([endpoint]);
    const client = clientOf(pipeline, false);
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
    check(pipeline, streams, client.socket.take(), client.socket.closed || client.socket.shut);
    client.socket.reset();
    for (const { socket } of endpoint.dialled) socket.reset();
    await turn();
    agree("requests in flight at the end", endpoint.pending, 0);
    agree("exchanges begun and finished", pipeline.exchanges.length, pipeline.finishedCount);
  },
};

function check(pipeline: TestPipeline, streams: readonly Buffer[], received: Buffer, isClosed: boolean): void {
  const seen = pipeline.exchanges.map(({ request }) =>
    `${request.method} ${request.method === "CONNECT" ? request.authority : request.path}`
  );
  const arrived = streams.flatMap((stream) => readRequests(stream).messages);
  const left = [...seen];
  for (const { method, target } of arrived) {
    const at = left.indexOf(`${method} ${target}`);
    holds(at >= 0, `the application is sent ${method} ${target}, which the proxy has not seen`);
    left.splice(at, 1);
  }
  for (const stream of streams) {
    const { messages, rest } = readRequests(stream);
    const foreign = readByLlhttp(stream);
    if (foreign.refused !== "" || rest !== "" || /upgrade|connect/i.test(stream.toString("latin1"))) continue;
    agree("requests for the strictest reading and for llhttp", messages.length, foreign.count);
  }
  const { messages, rest } = readResponses(received, pipeline.exchanges.map(({ request }) => request.method), isClosed);
  holds(rest === "" || rest === "incomplete", `the client is sent ${rest}`);
  holds(messages.length <= seen.length + 1, `${messages.length} answers to ${seen.length} requests`);
}

/** A tunnel is refused: behind one the bytes are no requests. */
function answerTo(method: string): string {
  if (method === "HEAD") return "HTTP/1.1 200 OK\r\n\r\n";
  if (method === "CONNECT") return "HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n";
  return "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
}
