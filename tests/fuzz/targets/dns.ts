import { query, response } from "../../support/dns.ts";
import { A, CNAME, HTTPS, MAX_ANSWERS, readAnswers, readHead } from "../../../src/wire/dns/message.ts";
import { HEADER_BYTES, readName } from "../../../src/wire/dns/name.ts";
import type { Random } from "../random.ts";
import { holds, type Target } from "../target.ts";

const NAME = "api.example.org";
const TARGET = [3, 99, 100, 110, 0xc0, 16];

/** Longest name as text: each byte of it may take four characters. */
const MAX_TEXT = 4 * 255;

export const target: Target = {
  about: "DNS messages: what they ask and which addresses they give, or null",
  seeds: [
    query(NAME, A),
    response(NAME, A, [
      { name: NAME, type: CNAME, data: TARGET },
      { name: "cdn.example.org", type: A, data: [192, 0, 2, 1] },
    ]),
    response(NAME, HTTPS, [{ name: NAME, type: HTTPS, data: [0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 1] }]),
  ],
  dictionary: ["\xc0\x0c", "\xc0\x10", "\x00\x01\x00\x01", "\x00\x05\x00\x01", "\x00\x1c\x00\x01", "\x00\x41\x00\x01"],
  maxBytes: 600,
  generate,
  run(input) {
    for (let at = 0; at < Math.min(input.length, 64); at++) {
      const found = readName(input, at);
      if (found === null) continue;
      holds(found.end > at && found.end <= input.length, `a name that ends at ${found.end}`);
      holds(found.name.length <= MAX_TEXT && found.name === found.name.toLowerCase(), `the name ${found.name}`);
    }
    const head = readHead(input);
    if (head === null) return;
    holds(head.end >= HEADER_BYTES && head.end <= input.length, `a question that ends at ${head.end}`);
    const answers = readAnswers(input, head);
    if (answers === null) return;
    holds(answers.length <= Math.min(head.answers, MAX_ANSWERS), `${answers.length} answers`);
    for (const answer of answers) {
      const addresses = answer.kind === "address" ? [answer.address] : answer.kind === "hints" ? answer.addresses : [];
      for (const { length } of addresses) holds(length === 4 || length === 16, `an address of ${length} bytes`);
    }
  },
};

function generate(random: Random): Uint8Array {
  const records = Array.from({ length: random.between(0, 4) }, () => ({
    name: random.pick([NAME, "cdn.example.org", ""]),
    type: random.pick([A, CNAME, 28, 64, HTTPS, 46]),
    data: random.pick([[192, 0, 2, 1], TARGET, [0xc0, 12], [0xc0, 200], new Array<number>(16).fill(1), [
      0,
      0,
      0xc0,
      12,
    ]]),
  }));
  return response(NAME, random.pick([A, 28, HTTPS]), records);
}
