/** Decoders of TCPRoute and TLSRoute (gateway.networking.k8s.io/v1): routes of what is not HTTP. */
import { isLabelName, LABEL_NAME_FORM, readMeta } from "./_meta.ts";
import type { Reader } from "./_reader.ts";
import { MAX_BACKENDS, MAX_RULES, readBackendRef, readHostnames, readParents } from "./_route_kinds.ts";
import type { RouteRule, TcpRoute, TlsRoute } from "./resources.ts";

export function readTcpRoute(root: Reader): TcpRoute {
  return { kind: "TCPRoute", ...readStreamRoute(root, () => []) };
}

export function readTlsRoute(root: Reader): TlsRoute {
  return {
    kind: "TLSRoute",
    ...readStreamRoute(root, (spec) => {
      const hostnames = readHostnames(spec);
      if (hostnames.length === 0) spec.bad("hostnames", "the names that clients ask for by TLS (SNI)");
      return hostnames;
    }),
  };
}

function readStreamRoute(root: Reader, readNames: (spec: Reader) => string[]) {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const parents = readParents(spec);
  const hostnames = readNames(spec);
  const rules = spec.objects("rules", MAX_RULES, readRule);
  spec.ignore("useDefaultGateways");
  spec.done();
  if (rules.length === 0) spec.bad("rules", "a rule with backendRefs");
  return { meta, parents, hostnames, rules };
}

function readRule(rule: Reader): RouteRule<never> {
  const read: RouteRule<never> = {
    name: rule.textOr("name", null, LABEL_NAME_FORM, isLabelName),
    matches: [],
    filters: [],
    backendRefs: rule.objects("backendRefs", MAX_BACKENDS, readBackendRef),
    requestTimeoutMs: null,
    backendTimeoutMs: null,
    retry: null,
    session: null,
  };
  rule.done();
  if (read.backendRefs.length === 0) rule.bad("backendRefs", "a Service");
  return read;
}
