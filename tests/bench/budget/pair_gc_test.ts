// Collections per 10^6 requests through a real pair of sidecars, by their own count (tulle_gc_collections_total).
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDirect } from "../../support/mesh.ts";
import { findProgram, run } from "../../support/process.ts";
import { collections, type Pair, startPair } from "../soak/pair.ts";

setDefaultTimeout(180_000);

const BINARY = join(import.meta.dirname, "../../../dist/tulle");
/** Until code is compiled and pools are filled. */
const WARM_REQUESTS = 20_000;
const REQUESTS = 60_000;
/** Measured 130–185: one for every 6,000 requests, which leave 1–2 KB each, exchange and streams. */
const MOST_PER_MILLION = 300;
/** The runtime also looks every second whether the heap has grown, and collects. */
const MOST_PER_SECOND = 2;

const LOADS = {
  "HTTP/1.1": { protocol: "h1", args: ["--h1", "-c", "32"] },
  "HTTP/2": { protocol: "h2", args: ["-c", "4", "-m", "32"] },
} as const;

const missing = isDirect || ["nginx", "nghttpd", "h2load"].some((name) => findProgram(name) === null) ||
  !existsSync(BINARY);
if (missing) console.log("skipped: collections of a pair: dist/tulle, nginx, nghttpd or h2load is missing");

async function send(pair: Pair, name: keyof typeof LOADS, requests: number): Promise<void> {
  const { protocol, args } = LOADS[name];
  const target = pair.subject.target(protocol);
  if (target === null) throw new Error("a pair has all protocols");
  const argv = ["h2load", "-n", String(requests), ...args, `http://${target.host}:${target.port}/s`];
  const { stdout } = await run({ argv, timeoutMs: 60_000 });
  expect(stdout).toContain(`${requests} succeeded, 0 failed`);
}

test.skipIf(missing)("requests through a pair of sidecars stay within their budget of collections", async () => {
  await using pair = await startPair(BINARY, {}, console.log);
  for (const name of ["HTTP/1.1", "HTTP/2"] as const) {
    await send(pair, name, WARM_REQUESTS);
    const before = await collections(pair.sides);
    const startedAt = performance.now();
    await send(pair, name, REQUESTS);
    const seconds = (performance.now() - startedAt) / 1000;
    for (const [side, count] of await collections(pair.sides)) {
      const collected = count - (before.get(side) ?? 0);
      console.log(`${name}, ${side}: ${(collected / REQUESTS * 1e6).toFixed(0)} collections per 10^6 requests`);
      expect(collected).toBeGreaterThan(0); // it counts
      expect(collected).toBeLessThanOrEqual(MOST_PER_MILLION * REQUESTS / 1e6 + MOST_PER_SECOND * seconds);
    }
  }
});
