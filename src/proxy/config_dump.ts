/** What /config shows: what this proxy runs now, and why. Never a key or a token. */
import type { ProxyConfig } from "../config/proxy_config.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { IdentityStore } from "../identity/store.ts";
import { VERSION } from "../base/version.ts";
import type { PathReport } from "./path_report.ts";

/** What the dump is made of. */
export interface DumpParts {
  readonly config: ProxyConfig;
  readonly identity: IdentityStore;
  readonly discovery: Discovery;
  readonly draining: boolean;
  /** One for each thread, the main one first. */
  readonly paths: readonly PathReport[];
}

/** A value for JSON. Maps are shown by the admin server as objects. */
export function configDump({ config, identity, discovery, draining, paths }: DumpParts): unknown {
  const { keyPem: _, ...certificate } = identity.current() ?? { keyPem: "" };
  return {
    version: VERSION,
    workload: `${config.workloadNamespace}/${config.workloadName}`,
    settings: config,
    draining,
    connections: paths.reduce((sum, path) => sum + path.connections, 0),
    identity: { ...identity.report(), certificate },
    discovery: discovery.dump(),
    // What was learnt about an endpoint is each thread's own.
    endpoints: paths.flatMap((path, thread) =>
      paths.length === 1 ? path.endpoints : path.endpoints.map((endpoint) => ({ ...endpoint, thread }))
    ),
    ...(paths.length === 1
      ? {}
      : { threads: paths.map((path, thread) => ({ thread, connections: path.connections })) }),
  };
}
