import { connect, start } from "../../../src/http/http1_fixture.ts";
import { requestHead } from "../../support/legs.ts";
import { agree, chopped, holds, type Target } from "../target.ts";
import { HTTP1_TOKENS, http1Messages, RESPONSE_SEEDS } from "./_http1.ts";

export const target: Target = {
  about:
    "an application's HTTP/1 connection: the same answer by pieces, one answer to one request, none that nobody asked for",
  seeds: RESPONSE_SEEDS,
  dictionary: HTTP1_TOKENS,
  generate: (random) => http1Messages(random, "response"),
  async run(input) {
    const method = input.length % 3 === 0 ? "HEAD" : "GET";
    const closes = input.length % 2 === 0;
    const whole = await session(method, [Buffer.from(input)], closes);
    const byPieces = await session(method, chopped(input), closes);
    agree(`the answer to ${method} in one piece and in several`, whole.events, byPieces.events);
    holds(!whole.reused || byPieces.reused || whole.leftover, "reused by pieces alone");
  },
};

async function session(method: string, pieces: readonly Buffer[], closes: boolean) {
  const side = connect();
  const recorder = start(side);
  side.connection.sendHead(requestHead(method), true, "");
  await side.received();
  for (const piece of pieces) side.socket.deliver(piece);
  if (closes) side.socket.fin();
  await side.received();
  const { events } = recorder;
  holds(
    !events.some((event) => event.includes("AFTER") || event.includes("TWICE")),
    `events after the end: ${events.join()}`,
  );
  holds(events.filter((event) => event.startsWith("head")).length <= 1, "two final heads");
  const reused = side.owner.events.includes("reusable");
  // What comes behind an answer on a connection that waits for the next request ends it.
  const leftover = side.socket.closed;
  side.socket.reset();
  return { events: [...events.map(shortened), recorder.body.toString("latin1")], reused, leftover };
}

/** Reasons may differ with the pieces: what comes too early, and what comes too late. */
function shortened(event: string): string {
  return event.startsWith("abort") ? "abort" : event;
}
