/** Decoders of policy.tulle.dev/v1alpha1: Server, AuthorizationPolicy, MeshTLSAuthentication, NetworkAuthentication. */
import type { Reader } from "./_reader.ts";
import { readMeta, readPort, readRef, readSelector } from "./_meta.ts";
import { readNetworks } from "./_networks.ts";
import {
  type AuthorizationPolicy,
  DEFAULT_POLICIES,
  type MeshTLSAuthentication,
  type NetworkAuthentication,
  PROXY_PROTOCOLS,
  type Server,
} from "./resources.ts";

export const POLICY_GROUP = "policy.tulle.dev";

/** Most identities or networks of one object, and conditions of one policy: bounds what a proxy compares per connection. */
const MAX_ENTRIES = 1024;
const MAX_CONDITIONS = 16;

export const SPIFFE_FORM = "a SPIFFE ID such as spiffe://cluster.local/ns/shop/sa/front";

/** A SPIFFE ID with a trust domain and a path (SPIFFE-ID §2). */
export function isSpiffeId(text: string): boolean {
  return text.length <= 2048 && /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[a-zA-Z0-9._-]+)+$/.test(text);
}

/** "*", a SPIFFE ID, or the start of one that ends in "*". */
function isIdentityPattern(text: string): boolean {
  if (text === "*" || isSpiffeId(text)) return true;
  return text.length <= 2048 && /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[a-zA-Z0-9._-]+)*\/[a-zA-Z0-9._-]*\*$/.test(text);
}

export function readServer(root: Reader): Server {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const podSelector = readSelector(spec, "podSelector");
  const externalWorkloadSelector = readSelector(spec, "externalWorkloadSelector");
  if ((podSelector === null) === (externalWorkloadSelector === null)) {
    const found = podSelector === null ? "neither" : "both";
    spec.fail(spec.path, `found ${found}, want either podSelector or externalWorkloadSelector`);
  }
  const server: Server = {
    kind: "Server",
    meta,
    podSelector,
    externalWorkloadSelector,
    port: readPort(spec, "port"),
    proxyProtocol: spec.oneOf("proxyProtocol", PROXY_PROTOCOLS, "unknown"),
    accessPolicy: spec.oneOf("accessPolicy", DEFAULT_POLICIES, "deny"),
  };
  spec.done();
  return server;
}

const TARGETS = ["Server", "Namespace", "HTTPRoute", "GRPCRoute"];
const CONDITIONS = ["MeshTLSAuthentication", "NetworkAuthentication", "ServiceAccount"];
const GROUP_OF: Readonly<Record<string, string>> = {
  Server: POLICY_GROUP,
  HTTPRoute: "gateway.networking.k8s.io",
  GRPCRoute: "gateway.networking.k8s.io",
  MeshTLSAuthentication: POLICY_GROUP,
  NetworkAuthentication: POLICY_GROUP,
};

export function readAuthorizationPolicy(root: Reader): AuthorizationPolicy {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const targetRef = spec.object("targetRef");
  const target = readTypedRef(targetRef, TARGETS);
  targetRef.done();
  const authentications = spec.objects("requiredAuthenticationRefs", MAX_CONDITIONS, (item) => {
    const ref = readTypedRef(item, CONDITIONS);
    item.done();
    return ref;
  });
  if (!spec.has("requiredAuthenticationRefs")) {
    spec.bad("requiredAuthenticationRefs", "a list of authentications that must all hold; [] admits everyone");
  }
  const policy: AuthorizationPolicy = {
    kind: "AuthorizationPolicy",
    meta,
    target,
    authentications,
    action: spec.oneOf("action", ["Allow", "Deny"], "Allow"),
    mode: spec.oneOf("mode", ["enforce", "audit"], "enforce"),
  };
  spec.done();
  return policy;
}

/**
 * A reference whose kind is one of a list and whose group, when given, is that kind's. A group may be left out, as in Linkerd's
 * policies: no two of these kinds have one name, so that the kind says it.
 */
export function readTypedRef(ref: Reader, kinds: readonly string[]) {
  const kind = ref.raw("kind");
  const group = typeof kind === "string" ? GROUP_OF[kind] ?? "" : "";
  const read = readRef(ref, group, null);
  if (read.kind !== "" && !kinds.includes(read.kind)) ref.bad("kind", `one of ${kinds.join(", ")}`);
  else if (read.kind !== "" && read.group !== group) ref.bad("group", group === "" ? 'no group or "core"' : group);
  return read;
}

export function readMeshTlsAuthentication(root: Reader): MeshTLSAuthentication {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const identities = spec.texts(
    "identities",
    MAX_ENTRIES,
    `${SPIFFE_FORM}, the start of one that ends in *, or "*"`,
    isIdentityPattern,
  );
  const identityRefs = spec.objects("identityRefs", MAX_ENTRIES, (item) => {
    const ref = readTypedRef(item, ["ServiceAccount", "Namespace"]);
    item.done();
    return ref;
  });
  if (identities.length === 0 && identityRefs.length === 0) {
    spec.fail(spec.path, "found no identity, want identities or identityRefs");
  }
  spec.done();
  return { kind: "MeshTLSAuthentication", meta, identities, identityRefs };
}

export function readNetworkAuthentication(root: Reader): NetworkAuthentication {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const networks = readNetworks(spec, "networks", MAX_ENTRIES);
  if (networks.length === 0) spec.bad("networks", "at least one network");
  spec.done();
  return { kind: "NetworkAuthentication", meta, networks };
}
