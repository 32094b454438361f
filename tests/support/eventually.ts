/** Waiting for something to become true, without guessing how long it takes. */

const POLL_MS = 25;

/** Calls `probe` until it does not throw, and returns its value; after the time, throws what it threw last. */
export async function eventually<T>(probe: () => T | Promise<T>, timeoutMs = 10_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await probe();
    } catch (cause) {
      if (Date.now() > deadline) throw cause;
    }
    await Bun.sleep(POLL_MS);
  }
}
