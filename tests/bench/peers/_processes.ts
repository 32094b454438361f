/** Subjects that are two sets of processes with one listening port per protocol. */
import { processTree } from "../../support/proc.ts";
import type { Child } from "../../support/process.ts";
import type { Protocol, Shape } from "../cases.ts";
import type { Subject, Target } from "../rig.ts";

export interface Side {
  readonly child: Child;
  /** Client's side (a) or server's side (b). */
  readonly side: "a" | "b";
  readonly protocols: readonly Protocol[];
}

/** A subject over running children; it owns them. */
export function subjectOf(
  proxy: string,
  shape: Shape | "direct",
  targets: Partial<Record<Protocol, Target>>,
  sides: readonly Side[],
): Subject {
  const pids = (protocol: Protocol, side: "a" | "b") =>
    sides.filter((entry) => entry.side === side && entry.protocols.includes(protocol)).flatMap((entry) =>
      processTree(entry.child.pid)
    );
  return {
    proxy,
    shape,
    target: (protocol) => targets[protocol] ?? null,
    sides: (protocol) => ({ a: pids(protocol, "a"), b: pids(protocol, "b") }),
    async [Symbol.asyncDispose]() {
      await Promise.all(sides.map((entry) => entry.child.stop(1_000)));
    },
  };
}

/** Starts children one after the other; when one fails, those before it are stopped. */
export async function startAll(starts: readonly (() => Promise<Side>)[]): Promise<Side[]> {
  const sides: Side[] = [];
  try {
    for (const start of starts) sides.push(await start());
    return sides;
  } catch (cause) {
    await Promise.all(sides.map((entry) => entry.child.stop(1_000)));
    throw cause;
  }
}
