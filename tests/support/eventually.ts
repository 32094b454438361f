/** Waiting for something to become true, without guessing how long it takes. */

const POLL_MS = 25;
/** Longest wait where none is named, milliseconds: on a busy machine processes get no turn for seconds. */
const WAIT_MS = 30_000;

/** Calls `probe` until it does not throw, and returns its value; after the time, throws what it threw last. */
export async function eventually<T>(probe: () => T | Promise<T>, timeoutMs = WAIT_MS): Promise<T> {
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
