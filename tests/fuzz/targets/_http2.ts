/** Sequences of HTTP/2 frames that are nearly right, for the targets that read them. */
import { DOWNGRADES } from "../../conformance/http1/corpus/downgrades.ts";
import { withNumber } from "../../conformance/http1/corpus/variant.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  goaway,
  headers,
  literals,
  paddedData,
  ping,
  rst,
  settings,
  settingsAck,
  windowUpdate,
} from "../../support/h2_peer.ts";
import type { Random } from "../random.ts";

const TYPES = { HEADERS: 1, PRIORITY: 2, PUSH_PROMISE: 5, CONTINUATION: 9 };

const FIELDS: readonly (readonly [string, string])[] = [
  ...[["x-a", "1"], ["te", "trailers"], ["te", "gzip"], ["content-length", "3"], ["content-length", "03"], [
    "host",
    "web.shop",
  ]],
  ...[["host", "evil"], ["connection", "close"], ["transfer-encoding", "chunked"], ["cookie", "a=b"], ["cookie", "c"], [
    "X-A",
    "1",
  ]],
  ...[["x-a", "1\r\nx-b: 2"], ["x a", "1"], ["", "1"], [":path", "/b"], ["expect", "100-continue"], ["upgrade", "h2c"]],
  ...[["content-type", "application/grpc"], ["tulle-client-id", "x"], ["x-a", ""], ["x-a", "\xff"], ["trailer", "x"]],
] as [string, string][]; // pairs

const REQUESTS: readonly (readonly (readonly [string, string])[])[] = [
  [[":method", "GET"], [":scheme", "http"], [":authority", "web.shop"], [":path", "/"]],
  [[":method", "POST"], [":scheme", "http"], [":authority", "web.shop"], [":path", "/a?b"]],
  [[":method", "HEAD"], [":scheme", "http"], [":path", "/"]],
  [[":method", "CONNECT"], [":authority", "web.shop:80"]],
  [[":method", "CONNECT"], [":scheme", "http"], [":authority", "web.shop"], [":path", "/"], [":protocol", "websocket"]],
  [[":method", "OPTIONS"], [":scheme", "http"], [":authority", "web.shop"], [":path", "*"]],
];
const RESPONSES = [[[":status", "200"]], [[":status", "100"]], [[":status", "204"]], [[":status", "503"]], [[
  ":status",
  "101",
]]] as [string, string][][]; // pairs

export function h2Frames(random: Random, kind: "request" | "response"): Buffer {
  const frames: Buffer[] = [];
  for (let left = random.between(1, 12); left > 0; left--) frames.push(oneFrame(random, kind));
  return Buffer.concat(frames);
}

function oneFrame(random: Random, kind: "request" | "response"): Buffer {
  const id = random.oneIn(12) ? random.below(8) : 2 * random.below(4) + 1;
  const end = random.oneIn(2) ? END_STREAM : 0;
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const start = random.pick(kind === "request" ? REQUESTS : RESPONSES);
      const block = literals([...start, ...random.list(3, () => random.pick(FIELDS))]);
      if (!random.oneIn(6)) return frame(TYPES.HEADERS, end | END_HEADERS, id, block);
      const cut = random.below(block.length);
      const more = frame(TYPES.CONTINUATION, END_HEADERS, random.oneIn(9) ? 3 : id, block.subarray(cut));
      return Buffer.concat([frame(TYPES.HEADERS, end, id, block.subarray(0, cut)), more]);
    }
    case 4:
    case 5:
      return data(id, random.oneIn(20) ? 16_384 : random.pick([0, 1, 3, 3, 100]), end);
    case 6:
      return paddedData(id, random.below(20), random.below(30), end);
    case 7:
      return headers(id, Object.fromEntries(random.list(2, () => random.pick(FIELDS))), END_STREAM);
    case 8:
      return windowUpdate(random.oneIn(3) ? 0 : id, random.pick([0, 1, 1000, 0x7fffffff, 0x80000001]));
    case 9:
      return rst(id, random.below(15));
    case 10:
      return random.oneIn(2)
        ? settings({ [random.between(1, 9)]: random.pick([0, 1, 100, 16_384, 65_535, 0x7fffffff, 0xffffffff]) })
        : settingsAck();
    case 11:
      return random.oneIn(2) ? ping("pingpong", random.below(2)) : goaway(random.below(9), random.below(14));
    case 12:
      return frame(
        random.oneIn(2) ? TYPES.PRIORITY : TYPES.PUSH_PROMISE,
        random.below(16),
        id,
        random.bytes(random.pick([4, 5, 9])),
      );
    default:
      return frame(random.below(12), random.below(256), random.below(10), random.bytes(random.below(30)));
  }
}

/** The header sections of the downgrade corpus, each a request on stream 1, and one behind it. */
export const H2_SEEDS: readonly Uint8Array[] = DOWNGRADES.filter((_, at) => at % 5 === 0).map((row) => {
  const fields = row.fields.map(([name, value]) => [withNumber(name, 1), withNumber(value, 1)] as const);
  const hasBody = row.data !== undefined;
  return Buffer.concat([
    frame(TYPES.HEADERS, END_HEADERS | (hasBody ? 0 : END_STREAM), 1, literals(fields)),
    ...(hasBody ? [data(1, withNumber(row.data ?? "", 1), END_STREAM)] : []),
    frame(TYPES.HEADERS, END_HEADERS | END_STREAM, 3, literals(REQUESTS[0] ?? [])),
  ]);
});

/** Bytes of frames and fields at which parsers decide. */
export const H2_TOKENS: readonly string[] = [
  ...[settings(), settingsAck(), windowUpdate(0, 1), ping(), rst(1, 8), goaway(0, 0)].map((one) =>
    one.toString("latin1")
  ),
  ...REQUESTS.map((fields) => literals(fields).toString("latin1")),
  ...FIELDS.map((field) => literals([field]).toString("latin1")),
  "\x82\x86\x84\x41\x0f",
];
