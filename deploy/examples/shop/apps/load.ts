/** Shoppers: a steady, bounded rate of requests to the front. Says every few seconds how it went. */

const URL = process.env["SHOP_URL"] ?? "http://front/";
/** Requests per second. Bounded on purpose: this is a demonstration, not a bench. */
const RATE = Number(process.env["SHOP_RATE"] ?? "60");
/** Requests under way at most: when the shop is slower than the rate, shoppers stay away. */
const MAX_OPEN = 64;
const REPORT_EVERY_MS = 5_000;

let open = 0;
let succeeded = 0;
let failed = 0;
let left = 0;

async function shop(): Promise<void> {
  if (open >= MAX_OPEN) {
    left++;
    return;
  }
  open++;
  try {
    const response = await fetch(URL, { headers: { "x-basket": "thimble-and-needle" } });
    await response.text();
    if (response.ok) succeeded++;
    else failed++;
  } catch {
    failed++;
  } finally {
    open--;
  }
}

const started = performance.now();
let sent = 0;
setInterval(() => {
  const due = Math.floor((performance.now() - started) * RATE / 1000);
  // Never catches up in a burst: what a pause has cost is left out.
  sent = Math.max(sent, due - RATE);
  for (; sent < due; sent++) void shop();
}, 20);
setInterval(() => console.log(`${succeeded} bought, ${failed} failed, ${left} left`), REPORT_EVERY_MS);
