/** Subjects that are two sets of processes with one listening port per protocol. */
import { freePort, freePorts } from "../../support/ports.ts";
import { processTree } from "../../support/proc.ts";
import type { Child } from "../../support/process.ts";
import type { Protocol, Shape } from "../cases.ts";
import type { Subject, Target } from "../rig.ts";

export const LOOPBACK = "127.0.0.1";
/** Protocols that an HTTP proxy has a listener for; gRPC has a backend of its own. */
export const HTTP_PROTOCOLS = ["h1", "h2", "grpc"] as const;
export type HttpProtocol = typeof HTTP_PROTOCOLS[number];
/** How often a proxy that is being timed is asked whether it serves, milliseconds. */
export const READY_POLL_MS = 1;
/** Time a proxy has to end; nothing is in flight then. */
const STOP_MS = 1_000;

export interface Side {
  readonly child: Child;
  /** Client's side (a) or server's side (b). */
  readonly side: "a" | "b";
  readonly protocols: readonly Protocol[];
}

/** A subject over running children; it owns them. */
export function subjectOf(
  proxy: string,
  shape: Shape,
  targets: Partial<Record<Protocol, Target>>,
  sides: readonly Side[],
  startOne: ((port: number) => Promise<Side>) | null = null,
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
    ...(startOne === null ? {} : { startAnother: () => timeToServe(startOne) }),
    async [Symbol.asyncDispose]() {
      await Promise.all(sides.map((entry) => entry.child.stop(STOP_MS)));
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
    await Promise.all(sides.map((entry) => entry.child.stop(STOP_MS)));
    throw cause;
  }
}

/** A free port for each of the names. */
export async function portsOf<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, at) => [name, ports[at]])) as Record<Name, number>; // one for each
}

/** Targets on loopback. */
export function targetsOf(ports: Partial<Record<Protocol, number>>, tls: boolean): Partial<Record<Protocol, Target>> {
  return Object.fromEntries(Object.entries(ports).map(([protocol, port]) => [protocol, { host: LOOPBACK, port, tls }]));
}

async function timeToServe(start: (port: number) => Promise<Side>): Promise<number> {
  const port = await freePort();
  const startedAt = performance.now();
  const { child } = await start(port);
  const ms = performance.now() - startedAt;
  await child.stop(STOP_MS);
  return ms;
}
