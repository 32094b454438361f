/** Command line of the controller's bench. */
import type { Shape } from "./objects.ts";

export interface ControllerBenchOptions {
  readonly shape: Shape;
  readonly proxies: number;
  /** Targets of each proxy. */
  readonly targets: number;
  /** Changes that are timed, per case. */
  readonly pushes: number;
  /** Pods replaced per second while they churn, and for how long. */
  readonly churnRate: number;
  readonly churnMs: number;
  readonly json: string | null;
}

export const HELP = `deno task bench:controller -- [options]

A real controller on a real API server (etcd and kube-apiserver of the Kubernetes test bed, without nodes), pods as objects,
and proxies with tokens, certificates and streams of their own in one process. Prints times, memory and CPU of the controller.

  --pods N         pods (default 5000)
  --services N     Services they belong to (default 250)
  --namespaces N   namespaces of the Services (default 25)
  --proxies N      pods whose proxy is connected (default 1000)
  --targets N      targets of each proxy; the first is one Service that all watch (default 10)
  --pushes N       timed changes per case (default 40)
  --churn N        pods replaced per second while they churn (default 100)
  --churn-ms N     for how long (default 20000)
  --quick          500 pods, 50 Services, 100 proxies, short
  --json FILE      writes {machine, date, shape, rows: [{case, …}]}

Exit status 0 unless something was lost: a proxy that was not told of a change.
`;

const DEFAULTS = {
  pods: 5000,
  services: 250,
  namespaces: 25,
  proxies: 1000,
  targets: 10,
  pushes: 40,
  churn: 100,
  "churn-ms": 20_000,
};
const QUICK = { ...DEFAULTS, pods: 500, services: 50, namespaces: 10, proxies: 100, pushes: 10, "churn-ms": 5000 };

/** @returns null when the line is wrong or asks for help */
export function parseArguments(args: readonly string[]): ControllerBenchOptions | null {
  const numbers: Record<string, number> = { ...(args.includes("--quick") ? QUICK : DEFAULTS) };
  let json: string | null = null;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--" || arg === "--quick") continue;
    const value = args[++at];
    const name = arg.slice(2);
    if (arg === "--json" && value !== undefined) json = value;
    else if (arg.startsWith("--") && Object.hasOwn(numbers, name) && /^\d+$/.test(value ?? "")) {
      numbers[name] = Number(value);
    } else return null;
  }
  const number = (name: keyof typeof DEFAULTS) => numbers[name] ?? DEFAULTS[name];
  return {
    shape: { pods: number("pods"), services: number("services"), namespaces: number("namespaces") },
    proxies: Math.min(number("proxies"), number("pods")),
    targets: Math.min(number("targets"), number("services")),
    pushes: number("pushes"),
    churnRate: number("churn"),
    churnMs: number("churn-ms"),
    json,
  };
}
