/** policy.linkerd.io → policy.tulle.dev and the Gateway API. The kinds are near each other, so most of a spec is taken as it is. */
import { asMapping, meets, type Migration, type Source } from "./migration.ts";
import { annotation } from "./annotations.ts";
import { networkOf } from "./networks.ts";
import { type Json, View } from "./view.ts";

const LINKERD_POLICY = "policy.linkerd.io";
const POLICY_VERSION = "policy.tulle.dev/v1alpha1";
const POLICY_GROUP = "policy.tulle.dev";
const GATEWAY_GROUP = "gateway.networking.k8s.io";
/** Where Linkerd has the EgressNetworks of all namespaces. */
const EGRESS_NAMESPACE = "linkerd-egress";
/** Linkerd's clusterNetworks as installed: what a ServerAuthorization without networks admits. */
const CLUSTER_NETWORKS = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];

/** Translates every object of Linkerd's policy, its routes, and routes of the Gateway API that name its kinds. */
export function translateLinkerdPolicy(migration: Migration): void {
  for (const source of migration.list(LINKERD_POLICY, "Server")) server(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "AuthorizationPolicy")) authorizationPolicy(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "MeshTLSAuthentication")) meshTls(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "NetworkAuthentication")) networks(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "ServerAuthorization")) serverAuthorization(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "EgressNetwork")) asItIs(migration, source, "EgressNetwork");
  for (const source of migration.list(LINKERD_POLICY, "HTTPLocalRateLimitPolicy")) rateLimit(migration, source);
  for (const source of migration.list(LINKERD_POLICY, "HTTPRoute")) route(migration, source);
  for (const kind of ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]) {
    for (const source of migration.list(GATEWAY_GROUP, kind)) if (namesLinkerd(source)) route(migration, source);
  }
  for (const source of migration.list("workload.linkerd.io", "ExternalWorkload")) externalWorkload(migration, source);
}

function metadata({ namespace, name, value }: Source): Json {
  const given = asMapping(value["metadata"]);
  const labels = asMapping(given["labels"]);
  const annotations = Object.fromEntries(
    Object.entries(asMapping(given["annotations"])).filter(([key]) =>
      !/(^|\.)(kubectl\.kubernetes|linkerd)\.io\//.test(key)
    ),
  );
  return {
    name,
    namespace,
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

function server(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const out: Json = {};
  for (const key of ["podSelector", "externalWorkloadSelector", "port", "proxyProtocol", "accessPolicy"]) {
    if (spec.has(key)) out[key] = spec.raw(key);
  }
  spec.done("lost");
  migration.emit(source, { apiVersion: POLICY_VERSION, kind: "Server", metadata: metadata(source), spec: out });
}

const AUTHENTICATIONS = ["MeshTLSAuthentication", "NetworkAuthentication", "ServiceAccount"];

function authorizationPolicy(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const target = spec.view("targetRef");
  const kind = target?.text("kind") ?? "";
  const name = target?.text("name") ?? "";
  target?.skip("group");
  const namespace = target?.text("namespace") ?? null;
  if (target?.done("stricter", "is not known: the policy is left out") === true) return;
  if (!["Server", "Namespace", "HTTPRoute", "GRPCRoute"].includes(kind) || name === "") {
    return spec.say(
      "stricter",
      "",
      `its targetRef cannot be aimed at ${kind === "" ? "nothing" : kind}: what it admitted is not admitted`,
    );
  }
  if (namespace !== null && namespace !== source.namespace) {
    return spec.say(
      "stricter",
      "",
      "its target is in another namespace, and a policy holds in its own namespace: it is left out",
    );
  }
  const refs: Json[] = [];
  for (const ref of spec.views("requiredAuthenticationRefs")) {
    const wanted = ref.text("kind") ?? "";
    const called = ref.text("name") ?? "";
    const where = ref.text("namespace");
    ref.skip("group");
    if (ref.done("stricter", "is not known: the policy is left out")) return;
    if (!AUTHENTICATIONS.includes(wanted) || called === "") {
      return ref.say(
        "stricter",
        "kind",
        `${wanted || "nothing"} cannot be required: the policy is left out, and what it admitted is not admitted`,
      );
    }
    const group = wanted === "ServiceAccount" ? {} : { group: POLICY_GROUP };
    refs.push({ ...group, kind: wanted, name: called, ...(where === null ? {} : { namespace: where }) });
  }
  if (!Array.isArray(asMapping(source.value["spec"])["requiredAuthenticationRefs"])) {
    return spec.say("stricter", "requiredAuthenticationRefs", "found no list: the policy is left out");
  }
  // An unknown key might have narrowed what is admitted.
  if (spec.done("stricter", "is not known: the policy is left out, and what it admitted is not admitted")) return;
  const group = kind === "Server" ? { group: POLICY_GROUP } : kind === "Namespace" ? {} : { group: GATEWAY_GROUP };
  migration.emit(source, {
    apiVersion: POLICY_VERSION,
    kind: "AuthorizationPolicy",
    metadata: metadata(source),
    spec: { targetRef: { ...group, kind, name }, requiredAuthenticationRefs: refs },
  });
}

function meshTls(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const identities = spec.texts("identities").flatMap((text) => readIdentity(spec, text));
  const identityRefs = spec.views("identityRefs").map((ref) => {
    ref.skip("group");
    const [kind, name, namespace] = [ref.text("kind"), ref.text("name"), ref.text("namespace")];
    ref.done("stricter");
    return { kind, name, ...(namespace === null ? {} : { namespace }) };
  });
  spec.done("stricter");
  if (identities.length + identityRefs.length === 0) {
    return spec.say("stricter", "", "no identity is left: policies that require it admit nobody");
  }
  const lists = {
    ...(identities.length > 0 ? { identities } : {}),
    ...(identityRefs.length > 0 ? { identityRefs } : {}),
  };
  migration.emit(source, {
    apiVersion: POLICY_VERSION,
    kind: "MeshTLSAuthentication",
    metadata: metadata(source),
    spec: lists,
  });
}

/** `web.shop.serviceaccount.identity.linkerd.cluster.local`, with `*` for its first labels, a SPIFFE ID, or `*`. */
function readIdentity(spec: View, text: string): string[] {
  if (text === "*" || text.startsWith("spiffe://")) return [text];
  const match = /^(.+?)\.serviceaccount\.identity\.[a-z0-9-]+\.([a-z0-9.-]+)$/.exec(
    text.startsWith("*.serviceaccount.") ? `*.${text}` : text,
  );
  const [account, namespace, ...rest] = match?.[1]?.split(".") ?? [];
  if (match === null || account === undefined || rest.length > 0 || (namespace === undefined)) {
    spec.say(
      "stricter",
      "identities",
      `${JSON.stringify(text)} is not <account>.<namespace>.serviceaccount.identity.<linkerd>.<domain>: it is left out`,
    );
    return [];
  }
  if (namespace === "*") return [`spiffe://${match[2]}/ns/*`];
  if (namespace.includes("*") || (account.includes("*") && account !== "*")) {
    spec.say(
      "stricter",
      "identities",
      `${JSON.stringify(text)}: only the end of an identity may be left open; it is left out`,
    );
    return [];
  }
  return [`spiffe://${match[2]}/ns/${namespace}/sa/${account}`];
}

function networks(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const list = readNetworks(spec);
  spec.done("stricter");
  if (list.length === 0) {
    return spec.say("stricter", "networks", "no network is left: policies that require it admit nobody");
  }
  const body = { kind: "NetworkAuthentication", metadata: metadata(source), spec: { networks: list } };
  migration.emit(source, { apiVersion: POLICY_VERSION, ...body });
}

function readNetworks(parent: View): Json[] {
  return parent.views("networks").flatMap((network) => {
    const cidr = network.text("cidr");
    const except = network.texts("except");
    network.done("stricter");
    const left = cidr === null ? null : networkOf(cidr, except);
    return left === null ? [] : [{ cidr: left.cidr, ...(left.except.length > 0 ? { except: left.except } : {}) }];
  });
}

/** The older form: a client and a Server (or several, by their labels) in one object. */
function serverAuthorization(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const { namespace, name } = source;
  const servers = serversOf(migration, source, spec);
  const client = spec.view("client");
  if (client === null) return spec.say("stricter", "client", "found nothing: it is left out");
  const meshTLS = client.view("meshTLS");
  const unauthenticated = client.flag("unauthenticated");
  const open = meshTLS?.flag("unauthenticatedTLS") === true;
  if (open) {
    meshTLS?.say(
      "stricter",
      "unauthenticatedTLS",
      "callers with TLS but without an identity are not told apart: an identity is asked for",
    );
  }
  const identities = open ? ["*"] : meshTLS?.texts("identities").flatMap((text) => readIdentity(meshTLS, text)) ?? [];
  const accounts = open ? [] : meshTLS?.views("serviceAccounts").map((account) => {
    const [name, where] = [account.text("name"), account.text("namespace")];
    account.done("stricter");
    return { kind: "ServiceAccount", name, ...(where === null ? {} : { namespace: where }) };
  }) ?? [];
  const hasNetworks = client.has("networks");
  const cidrs = readNetworks(client);
  meshTLS?.done("stricter");
  if (unauthenticated) client.say("note", "unauthenticated", "no identity is asked for, whatever else is said");
  client.done("stricter");
  spec.done("stricter");
  if (!unauthenticated && identities.length + accounts.length === 0) {
    return client.say("stricter", "meshTLS", "no identity is left: what it admitted is not admitted");
  }
  if (servers.length === 0) return;
  const refs: Json[] = [];
  if (!unauthenticated) {
    const lists = {
      ...(identities.length > 0 ? { identities } : {}),
      ...(accounts.length > 0 ? { identityRefs: accounts } : {}),
    };
    const made = { kind: "MeshTLSAuthentication", metadata: { name, namespace }, spec: lists };
    refs.push({
      group: POLICY_GROUP,
      kind: made.kind,
      name: migration.emit(source, { apiVersion: POLICY_VERSION, ...made }),
    });
  }
  if (!hasNetworks) client.say("note", "networks", "without networks it held for the cluster's: they are written out");
  const list = hasNetworks ? cidrs : CLUSTER_NETWORKS.map((cidr) => ({ cidr }));
  if (list.length === 0) {
    return client.say("stricter", "networks", "no network is left: what it admitted is not admitted");
  }
  const made = { kind: "NetworkAuthentication", metadata: { name, namespace }, spec: { networks: list } };
  refs.push({
    group: POLICY_GROUP,
    kind: made.kind,
    name: migration.emit(source, { apiVersion: POLICY_VERSION, ...made }),
  });
  for (const server of servers) {
    migration.emit(source, {
      apiVersion: POLICY_VERSION,
      kind: "AuthorizationPolicy",
      metadata: { name: servers.length === 1 ? name : `${name}-${server}`, namespace },
      spec: { targetRef: { group: POLICY_GROUP, kind: "Server", name: server }, requiredAuthenticationRefs: refs },
    });
  }
}

function serversOf(migration: Migration, source: Source, spec: View): string[] {
  const server = spec.view("server");
  const name = server?.text("name") ?? null;
  const selector = server?.view("selector");
  server?.done("stricter");
  const labels = selector?.map("matchLabels") ?? {};
  const hasExpressions = selector?.raw("matchExpressions") !== undefined;
  selector?.done("stricter");
  if (name !== null) return [name];
  if (hasExpressions) {
    const reason = "Servers are not found by expressions: what it admitted is not admitted";
    selector?.say("stricter", "matchExpressions", reason);
    return [];
  }
  const found = migration.list(LINKERD_POLICY, "Server")
    .filter((each) => each.namespace === source.namespace && meets(each.labels, labels)).map((each) => each.name);
  if (found.length === 0) {
    spec.say("stricter", "server", "no Server among the manifests is meant: what it admitted is not admitted");
  }
  return found;
}

function asItIs(migration: Migration, source: Source, kind: string): void {
  if (source.namespace === EGRESS_NAMESPACE) {
    const reason = `in ${EGRESS_NAMESPACE} it held for every namespace: write it into each that it is to hold for`;
    migration.say("wider", source, "metadata.namespace", reason);
  }
  const spec = structuredClone(asMapping(source.value["spec"]));
  migration.emit(source, { apiVersion: POLICY_VERSION, kind, metadata: metadata(source), spec });
}

function rateLimit(migration: Migration, source: Source): void {
  const spec = structuredClone(asMapping(source.value["spec"]));
  const target = asMapping(spec["targetRef"]);
  if (target["group"] === LINKERD_POLICY) target["group"] = POLICY_GROUP;
  migration.emit(source, {
    apiVersion: POLICY_VERSION,
    kind: "RateLimitPolicy",
    metadata: metadata(source),
    spec,
  });
}

/** Whether a route of the Gateway API says anything that is Linkerd's. */
function namesLinkerd({ value }: Source): boolean {
  return /linkerd\.io/.test(JSON.stringify([asMapping(value["metadata"])["annotations"], value["spec"]]));
}

function route(migration: Migration, source: Source): void {
  const spec = structuredClone(asMapping(source.value["spec"]));
  for (const list of refLists(spec)) {
    for (const ref of list) if (ref["group"] === LINKERD_POLICY) ref["group"] = POLICY_GROUP;
  }
  const annotations: Json = {};
  for (const [key, value] of Object.entries(asMapping(asMapping(source.value["metadata"])["annotations"]))) {
    const found = typeof value === "string" ? annotation(key, value) : null;
    if (found?.effect !== undefined) {
      migration.say(found.effect, source, `metadata.annotations[${JSON.stringify(key)}]`, found.reason ?? "");
    }
    if (found === null && !key.startsWith("kubectl.kubernetes.io/")) annotations[key] = value;
    if (found?.key !== undefined) annotations[found.key] = found.value;
  }
  const version = source.kind === "HTTPRoute" || source.kind === "GRPCRoute" ? "v1" : "v1alpha2";
  migration.emit(source, {
    apiVersion: `${GATEWAY_GROUP}/${version}`,
    kind: source.kind,
    metadata: { ...metadata(source), ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec,
  });
}

/** Every list of references in a route. */
function refLists(spec: Json): Json[][] {
  const rules = Array.isArray(spec["rules"]) ? spec["rules"].map(asMapping) : [];
  return [spec["parentRefs"], ...rules.map((rule) => rule["backendRefs"])].map((list) =>
    Array.isArray(list) ? list.map(asMapping) : []
  );
}

function externalWorkload(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const tls = spec.view("meshTLS");
  const identity = tls?.text("identity") ?? null;
  if (tls?.has("serverName") === true) tls.say("note", "serverName", "peers are told by their identity");
  tls?.skip("serverName");
  tls?.done("lost");
  const out: Json = { workloadIPs: spec.raw("workloadIPs") ?? [], ports: spec.raw("ports") ?? [] };
  if (identity !== null) out["meshTLS"] = { identity };
  spec.done("lost");
  const body = { kind: "ExternalWorkload", metadata: metadata(source), spec: out };
  migration.emit(source, { apiVersion: "workload.tulle.dev/v1alpha1", ...body });
}
