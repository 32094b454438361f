/** ns per HTTP/1.1 head: `bun tests/bench/micro/http1_head.ts`. Medians of rounds in one run; trust ratios above 1.3. */
import { ByteSink } from "../../../src/base/byte_sink.ts";
import { headerBlock } from "../../../src/wire/header_block.ts";
import { ChunkedDecoder, DATA } from "../../../src/wire/http1/chunked.ts";
import { looksLikeHttp1 } from "../../../src/wire/http1/detect.ts";
import { HeadCache } from "../../../src/wire/http1/head_cache.ts";
import { findHeadEnd } from "../../../src/wire/http1/head_end.ts";
import { parseRequestHead } from "../../../src/wire/http1/request_head.ts";
import { parseResponseHead } from "../../../src/wire/http1/response_head.ts";
import { appendRequestHead, appendResponseHead, SEND_CHUNKED } from "../../../src/wire/http1/serialize.ts";

const ROUNDS = 7;
const TURNS = 300_000;
const UNIQUE = 4096;

function time(name: string, turn: (i: number) => number): void {
  const rounds: number[] = [];
  let sum = 0;
  for (let r = 0; r < ROUNDS + 2; r++) {
    const t0 = Bun.nanoseconds();
    for (let i = 0; i < TURNS; i++) sum += turn(i);
    if (r >= 2) rounds.push((Bun.nanoseconds() - t0) / TURNS);
  }
  rounds.sort((a, b) => a - b);
  const median = rounds[ROUNDS >> 1] as number; // ROUNDS > 1
  console.log(`${name.padEnd(64)} ${median.toFixed(1).padStart(8)} ns${sum === -1 ? "!" : ""}`);
}

function requestText(id: string): string {
  return [
    "GET /api/v1/catalogue/items?page=3&size=50 HTTP/1.1",
    "Host: catalogue.shop.svc.cluster.local",
    "User-Agent: curl/8.5.0 (x86_64-pc-linux-gnu)",
    "Accept: application/json, text/plain, */*",
    "Accept-Encoding: gzip, deflate, br",
    `X-Request-Id: ${id}`,
    "Priority: u=1, i",
    "",
    "",
  ].join("\r\n");
}

const request = Buffer.from(requestText("4bf92f3577b34da6a3ce929d0e0e4736"));
const uniques: Buffer[] = [];
for (let i = 0; i < UNIQUE; i++) {
  uniques.push(Buffer.from(requestText((i * 2654435761).toString(16).padStart(32, "0"))));
}
const short = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\n\r\n");
const response = Buffer.from(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 14:00:00 GMT\r\n" +
    "Content-Type: application/json\r\nContent-Length: 512\r\nConnection: keep-alive\r\n\r\n",
);
const chunk = Buffer.from(`1000\r\n${"x".repeat(4096)}\r\n`);

const cache = new HeadCache<object>();
for (let i = 0; i < 2; i++) cache.put(request, 0, request.length, request);
const missing = new HeadCache<object>();
const sink = new ByteSink(4096);
const head = parseRequestHead(request, 0, request.length);
const answer = parseResponseHead(response, 0, response.length);
if (typeof head === "number" || typeof answer === "number") throw new Error("the bench's own heads are refused");
const decoder = new ChunkedDecoder();
const { block } = head;
const answerBlock = answer.block;

const size = request.length;
time(`findHeadEnd, request of ${size} bytes`, () => findHeadEnd(request, 0, size, 0));
time(`looksLikeHttp1, request of ${size} bytes`, () => looksLikeHttp1(request, 0, size));
time(`parseRequestHead, ${size} bytes, 6 fields`, () => parseRequestHead(request, 0, size) === head ? 1 : 0);
time(
  `parseRequestHead, ${short.length} bytes, 2 fields`,
  () => parseRequestHead(short, 0, short.length) === head ? 1 : 0,
);
time(
  `parseResponseHead, ${response.length} bytes, 5 fields`,
  () => parseResponseHead(response, 0, response.length) === answer ? 1 : 0,
);
time(`HeadCache.get, hit of ${size} bytes`, () => cache.get(request, 0, size) === null ? 1 : 0);
time(`HeadCache.get and put, ${UNIQUE} unique heads of ${size} bytes`, (i) => {
  const bytes = uniques[i % UNIQUE] as Buffer; // below the length
  if (missing.get(bytes, 0, bytes.length) !== null) return 1;
  missing.put(bytes, 0, bytes.length, bytes);
  return 0;
});
time("appendRequestHead, repeated block", () => {
  sink.reset();
  return appendRequestHead(sink, block, 0, "");
});
time("appendRequestHead, new block", () => {
  sink.reset();
  return appendRequestHead(sink, headerBlock(block, block.fields), 0, "");
});
time("appendResponseHead, repeated block, chunked refused", () => {
  sink.reset();
  return appendResponseHead(sink, answerBlock, "", SEND_CHUNKED, "");
});
time("appendResponseHead, repeated block", () => {
  sink.reset();
  return appendResponseHead(sink, answerBlock, "OK", 0, "");
});
time("appendResponseHead, new block", () => {
  sink.reset();
  return appendResponseHead(sink, headerBlock(answerBlock, answerBlock.fields), "OK", 0, "");
});
time("ChunkedDecoder.next, one chunk of 4096 bytes", () => {
  let pos = 0;
  while (decoder.next(chunk, pos, chunk.length) === DATA) pos = decoder.position;
  return pos;
});
