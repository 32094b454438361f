/** Makes an input small while something about it stays true. */

/** Most tries: enough for inputs of some kilobytes. */
const MAX_TRIES = 2_000;

/** @param stays runs an input; true when it still shows what is looked for */
export async function minimised(
  input: Uint8Array,
  stays: (input: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const better = async (candidate: Uint8Array) => {
    if (tries++ >= MAX_TRIES || !(await stays(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && tries < MAX_TRIES;) {
      const shorter = new Uint8Array(best.length - Math.min(size, best.length - at));
      shorter.set(best.subarray(0, at));
      shorter.set(best.subarray(at + size), at);
      if (!(await better(shorter))) at += size;
    }
  }
  for (let at = 0; at < best.length && tries < MAX_TRIES; at++) {
    for (const plain of [0x61, 0x30]) {
      if (best[at] === plain) break;
      const simpler = best.slice();
      simpler[at] = plain;
      if (await better(simpler)) break;
    }
  }
  return best;
}
