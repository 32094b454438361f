// No allocation per frame, and few per request: counted in collections, the only measure of it that the runtime has.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { run } from "../../support/process.ts";

const N = 20_000;
/** Collections per 200,000 requests: measured 11 (HTTP/1.1) and 16 (HTTP/2), an exchange and its streams being 1–2 KB. */
const MOST_PER_10N_REQUESTS = 25;

async function collections(what: string, n: number): Promise<number> {
  const { code, stderr, stdout } = await run({
    argv: [process.execPath, join(import.meta.dirname, "steady.ts"), what, String(n)],
    env: { BUN_JSC_logGC: "1" },
    timeoutMs: 60_000,
  });
  if (code !== 0) throw new Error(stderr.slice(-500));
  const { written } = JSON.parse(stdout) as { written: number };
  expect(written).toBeGreaterThan(n * 100); // it did what it was to do
  return (stderr.match(/START/g) ?? []).length;
}

for (const what of ["data1", "data2"]) {
  test(`${what}: body bytes on their way cause no collection, however many there are`, async () => {
    expect([await collections(what, N), await collections(what, 10 * N)]).toEqual([0, 0]);
  }, 120_000);
}

for (const what of ["http1", "http2"]) {
  test(`${what}: requests stay within their budget of collections`, async () => {
    expect(await collections(what, 10 * N)).toBeLessThanOrEqual(MOST_PER_10N_REQUESTS);
  }, 120_000);
}
