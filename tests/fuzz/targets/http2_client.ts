import { client, open } from "../../../src/http/http2_connection_fixture.ts";
import { turn } from "../../support/fake_socket.ts";
import { requestHead } from "../../support/legs.ts";
import { agree, chopped, type Target } from "../target.ts";
import { H2_TOKENS, h2Frames } from "./_http2.ts";
import { checkFrames, checkRecorders, checkWindows } from "./_http2_checks.ts";
import { data, END_STREAM, headers } from "../../support/h2_peer.ts";

export const target: Target = {
  about:
    "an application's HTTP/2 connection: whatever frames it sends, requests end once; windows stay; the same by pieces",
  seeds: [
    Buffer.concat([
      headers(1, { ":status": "200" }),
      data(1, "abc", END_STREAM),
      headers(3, { ":status": "204" }, END_STREAM),
    ]),
    Buffer.concat([
      headers(1, { ":status": "103" }),
      headers(1, { ":status": "200" }),
      data(1, "a"),
      headers(1, { "x-a": "1" }, END_STREAM),
    ]),
  ],
  dictionary: H2_TOKENS,
  maxBytes: 40_000,
  generate: (random) => h2Frames(random, "response"),
  async run(input) {
    const whole = await session([Buffer.from(input)]);
    agree("in one piece and in several", whole, await session(chopped(input)));
  },
};

async function session(pieces: readonly Buffer[]): Promise<unknown> {
  const pair = await client();
  const opened = [requestHead("GET"), requestHead("POST"), requestHead("HEAD")].map((head, at) =>
    open(pair, head, at !== 1)
  );
  await turn();
  pair.socket.take();
  for (const piece of pieces) pair.socket.deliver(piece);
  await turn();
  checkFrames(pair.socket.take(), pieces.reduce((sum, { length }) => sum + length, 0), pair.socket);
  checkWindows(pair.connection);
  pair.socket.reset();
  checkRecorders(opened.map(({ recorder }) => recorder));
  agree("streams at the end", pair.connection.streams.size, 0);
  return opened.map((
    { recorder },
  ) => [recorder.events.filter((event) => !/^(abort|data)/.test(event)), recorder.body.length]);
}
