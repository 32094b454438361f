/** The bench's pair of real sidecars with its backends, and what each sidecar says of itself. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tullePair } from "../peers/tulle.ts";
import { type Rig, startRig, type Subject } from "../rig.ts";
import { variantOf } from "../subjects.ts";

const ADMIN_PORT = 4191;

export interface Side {
  readonly pid: number;
  /** What a scrape gets. */
  readonly metrics: () => Promise<string>;
}

export interface Pair extends AsyncDisposable {
  readonly subject: Subject;
  /** The two sidecars, by name. */
  readonly sides: ReadonlyMap<string, Side>;
}

/** @param env of the sidecars, beside their own */
export async function startPair(
  program: string,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<Pair> {
  const stack = new AsyncDisposableStack();
  try {
    const dir = mkdtempSync(join(tmpdir(), "tulle-pair-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const rig = stack.use(await startRig(dir, say));
    const subject = await tullePair(program, rig, variantOf("tulle"), env);
    if (subject === null) throw new Error(`${program} is no pair`);
    stack.use(subject);
    return { subject, sides: sidesOf(subject, rig), [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (cause) {
    await stack.disposeAsync();
    throw cause;
  }
}

/** Value of a metric without labels; NaN when there is none. */
export function metric(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
}

/** Collections that each sidecar has counted since its start, by name. */
export async function collections(sides: Pair["sides"]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const [name, side] of sides) counts.set(name, metric(await side.metrics(), "tulle_gc_collections_total"));
  return counts;
}

/** Open descriptors of a process; NaN when it has ended. */
export function descriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return NaN;
  }
}

function sidesOf(pair: Subject, rig: Rig): Pair["sides"] {
  const { a, b } = pair.sides("h1");
  const side = (pid: number | undefined, host: string): Side => {
    if (pid === undefined) throw new Error("a sidecar has ended");
    return { pid, metrics: async () => await (await fetch(`http://${host}:${ADMIN_PORT}/metrics`)).text() };
  };
  return new Map([
    ["client side", side(a[0], pair.target("h1")?.host ?? "")],
    ["server side", side(b[0], rig.backendHost)], // a sidecar has the address of its workload
  ]);
}
