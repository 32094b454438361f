import { isIP } from "node:net";
import { formatIp, parseBlock, parseIp } from "../../../src/model/ip.ts";
import { parseSpiffeId } from "../../../src/model/spiffe_id.ts";
import { hostOf, matchesHost } from "../../../src/proxy/route/host.ts";
import { queryValue } from "../../../src/proxy/route/query.ts";
import { pathReadings } from "../../../src/proxy/route/readings.ts";
import { agree, holds, type Target, textOf } from "../target.ts";

export const target: Target = {
  about:
    "addresses, blocks, SPIFFE IDs, authorities, queries and paths: the runtime's reading of addresses, and no exception",
  seeds: [
    "10.0.0.1",
    "fd00::1",
    "::ffff:1.2.3.4",
    "1:2:3:4:5:6:7:8",
    "10.0.0.0/8",
    "spiffe://a/ns/b/sa/c",
    "[::1]:80",
    "web.shop:80",
    "/a/%2e%2e/b;x?c=d&e=%41+f",
  ],
  dictionary: [
    "::",
    "::ffff:",
    "/",
    "255",
    "%2e",
    "%2f",
    "..",
    "//",
    ":",
    "spiffe://",
    "&",
    "=",
    "+",
    ";",
    "%",
    "[",
    "]",
  ],
  maxBytes: 120,
  run(input) {
    const text = textOf(input);
    const ip = parseIp(text);
    agree("an address for us and for the runtime", ip !== null, isIP(text) !== 0 && !text.includes("%"));
    if (ip !== null) agree("an address written and read", parseIp(formatIp(ip)), ip);
    const block = parseBlock(text, "here");
    if (!block.ok) holds(block.error.startsWith("here"), `an error without its place: ${block.error}`);
    const id = parseSpiffeId(text);
    if (id !== null) agree("a SPIFFE ID and its parts", `spiffe://${id.trustDomain}${id.path}`, text);
    const host = hostOf(text);
    holds(host.length <= text.length, "a host longer than its authority");
    matchesHost(["*.shop", "web.shop"], host);
    for (const path of [`/${text}`, text]) {
      queryValue(path, "c");
      const readings = pathReadings(path);
      holds(readings.length <= 3 * 64, `${readings.length} readings of a path`);
    }
  },
};
