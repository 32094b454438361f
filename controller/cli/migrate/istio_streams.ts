/** `tcp` and `tls` of a VirtualService (networking.istio.io) → TCPRoutes and TLSRoutes. */
import { readBackend } from "./istio_backends.ts";
import type { Migration, Source } from "./migration.ts";
import type { NamedService } from "./services.ts";
import type { Json, View } from "./view.ts";

/** What of a match is looked at; null ports are all. */
interface StreamMatch {
  readonly port: number | null;
  readonly hostnames: readonly string[];
}

const KINDS = { tcp: "TCPRoute", tls: "TLSRoute" } as const;

/** Writes a route for each entry and port; of several entries for all that a port gets, the first held, and holds. */
export function streamRoutes(
  migration: Migration,
  source: Source,
  service: NamedService,
  kind: keyof typeof KINDS,
  entries: readonly View[],
): void {
  const taken = new Set<number | null>();
  for (const entry of entries) {
    entry.skip("match");
    const wanted = entry.has("match") ? entry.views("match") : [];
    const matches = wanted.length === 0 ? [{ port: null, hostnames: [] }] : wanted.flatMap((each) => readMatch(each));
    const backendRefs = entry.views("route").flatMap((each) => readBackend(migration, each, service, source));
    entry.done("lost");
    if (backendRefs.length === 0) {
      entry.say("lost", "route", "no backend is left: it is left out");
      continue;
    }
    for (const { port, hostnames } of matches) {
      if (kind === "tcp" && (taken.has(port) || taken.has(null))) {
        entry.say(
          "note",
          "",
          "an entry before it has all connections of that port: it never held, and is left out",
        );
        continue;
      }
      if (kind === "tcp" && port === null && taken.size > 0) {
        entry.say(
          "lost",
          "match",
          "ports of the entries before it have two routes now: the older wins, or the first by name",
        );
      }
      taken.add(port);
      emit(migration, source, service, kind, port, hostnames, backendRefs);
    }
  }
}

function emit(
  migration: Migration,
  source: Source,
  service: NamedService,
  kind: keyof typeof KINDS,
  port: number | null,
  hostnames: readonly string[],
  backendRefs: readonly Json[],
): void {
  migration.emit(source, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: KINDS[kind],
    metadata: {
      name: `${source.name}-${kind}${port === null ? "" : `-${port}`}`,
      namespace: service.namespace,
    },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: service.name, ...(port === null ? {} : { port }) }],
      ...(hostnames.length === 0 ? {} : { hostnames: [...hostnames] }),
      rules: [{ backendRefs: structuredClone(backendRefs) }],
    },
  });
}

function readMatch(view: View): StreamMatch[] {
  const port = view.number("port");
  const hostnames = view.texts("sniHosts").filter((host) => host !== "*");
  view.skip("gateways");
  if (!view.done("lost", "cannot be asked for")) return [{ port, hostnames }];
  view.say("lost", "", "the match is left out");
  return [];
}
