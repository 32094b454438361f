/** Runs one target in a process of its own: `bun worker.ts OPTIONS.json`. Talks to fuzz.ts in lines of JSON. */
import { readFileSync } from "node:fs";
import { countBranches, Coverage } from "./coverage.ts";
import { readCorpus, writeCorpus, writeSaved } from "./corpus_files.ts";
import { fuzz, outcome } from "./session.ts";
import { loadTarget } from "./targets.ts";

export interface WorkerOptions {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  readonly hasCoverage: boolean;
  /** Keeps the smallest of the corpus beside the targets. */
  readonly saves: boolean;
  /** Runs this input and nothing else. */
  readonly input: string | null;
  /** Shared with fuzz.ts: 4 bytes of length, and the input that runs. */
  readonly current: string;
}

const options = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as WorkerOptions; // fuzz.ts wrote it
const say = (line: object) => console.log(JSON.stringify(line));

if (options.hasCoverage) countBranches(/\/(src|controller)\/.*\.ts$/);
const target = await loadTarget(options.target);
if (options.input !== null) {
  const message = await outcome(target, new Uint8Array(readFileSync(options.input)));
  say({ kind: "replayed", message });
} else {
  const current = Bun.mmap(options.current, { shared: true });
  const view = new DataView(current.buffer, current.byteOffset);
  const end = performance.now() + options.seconds * 1000;
  const result = await fuzz(target, {
    seed: options.seed,
    corpus: readCorpus(options.target),
    coverage: options.hasCoverage ? new Coverage() : null,
    isOver: () => performance.now() > end,
    before(input) {
      const length = Math.min(input.length, current.length - 4);
      view.setUint32(0, length);
      current.set(input.subarray(0, length), 4);
    },
    onProgress: (progress) => say({ kind: "progress", ...progress }),
  });
  const { kept, found, ...progress } = result;
  if (options.hasCoverage) {
    writeCorpus(options.target, kept);
    if (options.saves) writeSaved(options.target, kept);
  }
  const findings = found.map(({ input, message }) => ({ message, input: Buffer.from(input).toString("base64") }));
  say({ kind: "done", ...progress, found: findings });
}
process.exit(0);
