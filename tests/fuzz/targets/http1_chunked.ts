import { latin1 } from "../../../src/base/latin1.ts";
import { ChunkedDecoder, DATA, END, NEED_MORE } from "../../../src/wire/http1/chunked.ts";
import { nameForCode } from "../../../src/wire/http1/error_code.ts";
import { readByLlhttp } from "../../support/llhttp.ts";
import { agree, bytesOf, chopped, holds, type Target } from "../target.ts";
import { CHUNKS } from "../../conformance/http1/corpus/chunks.ts";

const HEAD = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

export const target: Target = {
  about: "chunked bodies: the same by pieces, and no other body than llhttp finds",
  seeds: CHUNKS.map((row) => (row.bytes[0] ?? "").replace(/^[^]*?\r\n\r\n/, "")).filter((text) => text.length < 300),
  dictionary: ["0\r\n\r\n", "1\r\na\r\n", "\r\n", ";a=b", "ffffffff", "Content-Length: 3\r\n", "X: y\r\n", "00"],
  run(input) {
    const whole = read([Buffer.from(input)]);
    agree("in one piece and in several", whole, read(chopped(input)));
    holds(whole.code >= 0 || nameForCode(whole.code) !== "unknown", `code ${whole.code}`);
    if (!whole.isComplete) return;
    const foreign = readByLlhttp(Buffer.concat([bytesOf(HEAD), input.subarray(0, whole.end)]));
    if (foreign.refused !== "") return; // it is stricter with extensions, and knows fewer trailers
    holds(foreign.count === 1, `llhttp finds ${foreign.count} bodies where we find one`);
    agree("the body", whole.body, foreign.body);
  },
};

interface Reading {
  body: string;
  trailers: readonly string[];
  /** Bytes up to the end of the body. */
  end: number;
  code: number;
  isComplete: boolean;
}

function read(pieces: readonly Buffer[]): Reading {
  const decoder = new ChunkedDecoder();
  const out: Reading = { body: "", trailers: [], end: 0, code: 0, isComplete: false };
  let before = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const event = decoder.next(piece, at, piece.length);
      if (event < 0) return { ...out, code: event };
      holds(decoder.position >= at && decoder.position <= piece.length, "the position is outside of the piece");
      at = decoder.position;
      if (event === DATA) {
        holds(decoder.dataEnd > decoder.dataStart, "empty data");
        out.body += latin1(piece, decoder.dataStart, decoder.dataEnd);
      } else if (event === END) {
        return { ...out, isComplete: true, end: before + at, trailers: decoder.trailers?.fields ?? [] };
      } else if (event === NEED_MORE) break;
    }
    before += piece.length;
  }
  return out;
}
