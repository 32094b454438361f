import { expect, test } from "bun:test";
import type { KubeObject } from "../api/client.ts";
import { PolicyJudge } from "../index/policy_status.ts";
import { decodeResource } from "../kube/decode.ts";
import type { Resource } from "../kube/resources.ts";
import { ResourceStore } from "../kube/store.ts";
import type { RawCondition } from "./_conditions.ts";
import { policyStatus } from "./_policy_statuses.ts";

const MADE = "2026-11-21T20:00:00Z";
const LATER = "2026-11-21T20:05:00Z";
const GROUPS: Readonly<Record<string, string>> = {
  Pod: "v1",
  Service: "v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
};

function object(kind: string, name: string, spec: object, more: object = {}, creationTimestamp = MADE): KubeObject {
  return {
    apiVersion: GROUPS[kind] ?? "policy.tulle.dev/v1alpha1",
    kind,
    metadata: { name, namespace: "shop", generation: 3, creationTimestamp, labels: { app: "web" } },
    spec,
    ...more,
  };
}

const server = (name: string, port: number | string, more: object = {}, made = MADE) =>
  object("Server", name, { podSelector: { matchLabels: { app: "web" } }, port, ...more }, {}, made);
const target = (kind: string, name: string, namespace?: string) => ({ targetRef: { kind, name, namespace } });
const authn = (name: string) => object("MeshTLSAuthentication", name, { identities: ["*"] });
const allow = (spec: object) => object("AuthorizationPolicy", "p", { requiredAuthenticationRefs: [], ...spec });
const limit = (name: string, made = MADE) =>
  object("RateLimitPolicy", name, { ...target("Server", "web"), total: { requestsPerSecond: 1 } }, {}, made);
const routeLimit = () =>
  object("RateLimitPolicy", "l", { ...target("HTTPRoute", "web"), total: { requestsPerSecond: 1 } });
const httpRoute = (...kinds: readonly ("Server" | "Service")[]) =>
  object("HTTPRoute", "web", {
    parentRefs: kinds.map((kind) => ({ group: kind === "Server" ? "policy.tulle.dev" : "", kind, name: "web" })),
    rules: [{}],
  });
const fault = (spec: object) => object("FaultInjection", "f", { ...target("Service", "web"), reset: true, ...spec });
const POD = object("Pod", "web-0", {
  containers: [{ name: "c", image: "i", ports: [{ name: "http", containerPort: 80 }] }],
});
const SERVICE = object("Service", "web", { clusterIP: "10.96.0.1", ports: [{ port: 80 }] });

function judge(objects: readonly KubeObject[], now = LATER): PolicyJudge {
  const store = new ResourceStore();
  const read = objects.map((each) => decodeResource(each).resource);
  store.replace(read.filter((each): each is Resource => each !== null));
  return new PolicyJudge(store, Date.parse(now));
}

function said(subject: KubeObject, others: readonly KubeObject[] = []): string[] {
  const conditions = policyStatus(subject, judge([subject, ...others]), LATER) ?? [];
  return conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
}

const ACCEPTED = "Accepted True Accepted";
const RESOLVED = "ResolvedRefs True ResolvedRefs";
const NOT_FOUND = "Accepted False TargetNotFound";
const missing = { requiredAuthenticationRefs: [{ kind: "MeshTLSAuthentication", name: "gone" }] };
const front = { requiredAuthenticationRefs: [{ kind: "MeshTLSAuthentication", name: "front" }] };

test.each<[string, KubeObject, readonly KubeObject[], readonly string[]]>([
  ["a Server", server("web", 80), [POD], [ACCEPTED]],
  ["a Server beside one of another port", server("web", 80), [POD, server("a", 81)], [ACCEPTED]],
  ["the older of two Servers", server("web", 80), [POD, server("a", 80, {}, LATER)], [ACCEPTED]],
  ["the younger of two Servers", server("web", 80, {}, LATER), [POD, server("z", 80)], ["Accepted False Conflicted"]],
  ["… that names the port", server("web", "http"), [POD, server("a", 80)], ["Accepted False Conflicted"]],
  ["… that selects no pod in common", server("web", 80), [server("a", 80)], [ACCEPTED]],
  ["a policy of a Server", allow(target("Server", "web")), [server("web", 80)], [ACCEPTED, RESOLVED]],
  ["… that does not exist", allow(target("Server", "web")), [], [NOT_FOUND, RESOLVED]],
  ["… of another namespace", allow(target("Server", "web", "x")), [], ["Accepted False Invalid", RESOLVED]],
  ["a policy of its namespace", allow(target("Namespace", "shop")), [], [ACCEPTED, RESOLVED]],
  ["a policy of another", allow(target("Namespace", "other")), [], ["Accepted False Invalid", RESOLVED]],
  ["an admission", allow({ ...target("Namespace", "shop"), ...front }), [authn("front")], [ACCEPTED, RESOLVED]],
  ["… of somebody unknown", allow({ ...target("Namespace", "shop"), ...missing }), [], [
    "Accepted False RefNotFound",
    "ResolvedRefs False RefNotFound",
  ]],
  ["a denial of somebody unknown", allow({ ...target("Namespace", "shop"), ...missing, action: "Deny" }), [], [
    ACCEPTED,
    "ResolvedRefs False RefNotFound",
  ]],
  ["an authentication", authn("front"), [], [ACCEPTED]],
  ["… by network", object("NetworkAuthentication", "n", { networks: [{ cidr: "10.0.0.0/8" }] }), [], [ACCEPTED]],
  ["an egress network", object("EgressNetwork", "e", { trafficPolicy: "Deny" }), [], [ACCEPTED]],
  ["a rate limit", limit("l"), [server("web", 80)], [ACCEPTED]],
  ["… of nothing", limit("l"), [], [NOT_FOUND]],
  ["the younger of two", limit("l", LATER), [server("web", 80), limit("z")], ["Accepted False Conflicted"]],
  ["the first by name of two", limit("l"), [server("web", 80), limit("z")], [ACCEPTED]],
  ["… of a route of a Server", routeLimit(), [httpRoute("Server")], [ACCEPTED]],
  ["… of a route of Services only", routeLimit(), [httpRoute("Service")], ["Accepted False Invalid"]],
  ["… of no route", routeLimit(), [], [NOT_FOUND]],
  ["a backend policy", object("BackendPolicy", "b", { ...target("Service", "web"), slowStart: "10s" }), [SERVICE], [
    ACCEPTED,
  ]],
  ["… of nothing", object("BackendPolicy", "b", { ...target("Service", "web"), slowStart: "10s" }), [], [NOT_FOUND]],
  ["a fault", fault({ for: "10m" }), [SERVICE], [ACCEPTED]],
  ["a fault that has ended", fault({ for: "5m" }), [SERVICE], ["Accepted False Expired"]],
  ["a fault of nothing", fault({ for: "5m" }), [], [NOT_FOUND]],
  ["what cannot be read", server("web", 0), [], ["Accepted False Invalid"]],
])("policyStatus() of %s", (_name, subject, others, wanted) => {
  expect(said(subject, others)).toEqual([...wanted]);
});

test("policyStatus() says where the limit of a route holds that has parents of both kinds", () => {
  const subject = routeLimit();
  const [accepted] = policyStatus(subject, judge([subject, httpRoute("Service", "Server")]), LATER) ?? [];
  expect(accepted).toMatchObject({ status: "True" });
  expect(accepted?.message).toBe(
    "it is in force at Server web, where requests arrive; not at clients of Service web",
  );
});

test("policyStatus() is content with what it wrote, and keeps the conditions of others", () => {
  const policy = allow(target("Server", "web"));
  const foreign = { type: "Audited", status: "True" as const, reason: "Fine", message: "" };
  const before = { ...policy, status: { conditions: [foreign] } };
  const written = policyStatus(before, judge([policy]), MADE);
  expect(written?.map(({ type }) => type)).toEqual(["Audited", "Accepted", "ResolvedRefs"]);
  expect(written?.[1]).toMatchObject({ observedGeneration: 3, lastTransitionTime: MADE });
  const after = { ...policy, status: { conditions: written } };
  expect(policyStatus(after, judge([policy]), LATER)).toBeNull();
});

test("policyStatus() says the generation that it judged; only what changes gets another time", () => {
  const policy = allow(target("Server", "web"));
  const conditions = policyStatus(policy, judge([policy]), MADE) as readonly RawCondition[];
  const changed = { ...policy, metadata: { ...policy.metadata, generation: 4 }, status: { conditions } };
  const [accepted, resolved] = policyStatus(changed, judge([policy, server("web", 80)]), LATER) ?? [];
  expect(accepted).toMatchObject({ status: "True", observedGeneration: 4, lastTransitionTime: LATER });
  expect(resolved).toMatchObject({ status: "True", observedGeneration: 4, lastTransitionTime: MADE });
});
