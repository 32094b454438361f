import { serve } from "../../../src/http/http1_fixture.ts";
import { response } from "../../support/legs.ts";
import { readResponses } from "../../conformance/http1/reference.ts";
import { agree, chopped, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, REQUEST_SEEDS } from "./_http1.ts";

/** Turns without an answer after which none will come: each answer takes one, and the next request begins with it. */
const QUIET_TURNS = 3;
const OK = response(200, ["content-length", "0"]);

export const target: Target = {
  about:
    "a client's HTTP/1 connection: the same requests by pieces, as many answers as requests, nothing after the end",
  seeds: REQUEST_SEEDS,
  dictionary: HTTP1_TOKENS,
  generate: (random) => http1Messages(random, "request"),
  async run(input) {
    const whole = await session([Buffer.from(input)]);
    agree("in one piece and in several", whole, await session(chopped(input)));
  },
};

/** Each request with what became of it, and the answers that the client got. */
async function session(pieces: readonly Buffer[]): Promise<unknown> {
  const side = serve();
  side.owner.serve = (connection, request, recorder) => {
    const answer = () => {
      if (connection.listener === recorder || request.framing === 0) connection.sendHead(OK, true, "");
    };
    if (request.framing === 0) return queueMicrotask(answer);
    const ended = recorder.onData.bind(recorder);
    recorder.onData = (leg, buffer, start, end, fin) => {
      ended(leg, buffer, start, end, fin);
      if (fin) queueMicrotask(answer);
    };
    const trailers = recorder.onTrailers.bind(recorder);
    recorder.onTrailers = (leg, block) => {
      trailers(leg, block);
      queueMicrotask(answer);
    };
  };
  for (const piece of pieces) side.socket.deliver(piece);
  let text = "";
  for (let quiet = 0; quiet < QUIET_TURNS;) {
    const more = await side.received();
    text += more;
    quiet = more === "" ? quiet + 1 : 0;
  }
  const out = Buffer.from(text, "latin1");
  const methods = side.owner.requests.map(({ block }) => block.method);
  const { messages, rest } = readResponses(out, methods, side.socket.closed || side.socket.shut);
  holds(rest === "", `what the client gets: ${rest}`);
  holds(messages.length <= methods.length + 1, `${messages.length} answers to ${methods.length} requests`);
  for (const { events } of side.owner.recorders) {
    holds(
      !events.some((event) => event.includes("AFTER") || event.includes("TWICE")),
      `events after the end: ${events.join()}`,
    );
  }
  const requests = side.owner.requests.map(({ block }, at) => [
    block.method,
    block.path,
    block.fields,
    side.owner.of(at).filter((event) => !event.startsWith("abort")),
    side.owner.recorders[at]?.body.toString("latin1"),
  ]);
  side.socket.reset();
  // Which fault of several is found first may depend on the pieces.
  return [requests, messages.map(({ status }) => status >= 400 ? "refused" : status)];
}
