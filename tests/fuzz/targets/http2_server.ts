import { server } from "../../../src/http/http2_connection_fixture.ts";
import { turn } from "../../support/fake_socket.ts";
import { response } from "../../support/legs.ts";
import { agree, chopped, type Target } from "../target.ts";
import { H2_SEEDS, H2_TOKENS, h2Frames } from "./_http2.ts";
import { checkFrames, checkRecorders, checkWindows } from "./_http2_checks.ts";

const OK = response(200, ["content-length", "2"]);
const BODY = new TextEncoder().encode("ok");

export const target: Target = {
  about:
    "a client's HTTP/2 connection: frames in any order end in events or one GOAWAY; windows stay; the same by pieces",
  seeds: H2_SEEDS,
  dictionary: H2_TOKENS,
  maxBytes: 40_000,
  generate: (random) => h2Frames(random, "request"),
  async run(input) {
    const whole = await session([Buffer.from(input)]);
    agree("in one piece and in several", whole, await session(chopped(input)));
  },
};

async function session(pieces: readonly Buffer[]): Promise<unknown> {
  const pair = await server();
  pair.owner.serve = (stream) => {
    stream.sendHead(OK, false, "");
    stream.sendData(BODY, 0, BODY.length, true);
  };
  for (const piece of pieces) pair.socket.deliver(piece);
  await turn();
  const out = pair.socket.take();
  checkFrames(out, pieces.reduce((sum, { length }) => sum + length, 0), pair.socket);
  checkWindows(pair.connection);
  pair.socket.reset();
  checkRecorders(pair.owner.recorders);
  agree("streams at the end", pair.connection.streams.size, 0);
  return [
    pair.owner.recorders.map(({ events }) => events.filter((event) => !/^(abort|data)/.test(event))),
    pair.owner.recorders.map(({ body }) => body.length),
  ];
}
