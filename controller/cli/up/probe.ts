/** Asks parts of the mesh over HTTP, from inside the fabric. */

/** Longest wait for an answer. A part that is slower than this is not well. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Pause between two questions while waiting. */
const POLL_MS = 50;
/** Largest answer that is read, characters. */
const MAX_TEXT = 16 * 1024 * 1024;

/** @param tries how often is asked at most, with a pause in between @returns the body of a 200 answer, null when there was none */
export async function fetchText(url: string, tries = 1): Promise<string | null> {
  for (let left = tries;; await Bun.sleep(POLL_MS)) {
    const text = await fetchOnce(url);
    if (text !== null || --left <= 0) return text;
  }
}

async function fetchOnce(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), keepalive: false });
    const text = await response.text();
    return response.ok && text.length <= MAX_TEXT ? text : null;
  } catch {
    return null;
  }
}

/**
 * Asks until the answer is 200.
 *
 * @returns "" when it was, otherwise what was last answered
 */
export async function waitUntilReady(url: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  const end = performance.now() + timeoutMs;
  let last = "no answer";
  while (performance.now() < end && !signal.aborted) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), keepalive: false });
      if (response.ok) return "";
      last = `${response.status} ${(await response.text()).trim().slice(0, 300)}`;
    } catch (error) {
      last = (error as { code?: string }).code ?? "no answer"; // Bun's fetch errors carry a code
    }
    await Bun.sleep(POLL_MS);
  }
  return last;
}
