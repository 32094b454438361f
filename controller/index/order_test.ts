/** What a workload is told does not depend on the order in which objects come, in one file or from a watch. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Authorization, InboundWorkload } from "../core/snapshot.ts";
import { httpRoute, service, workload, world } from "./_testing.ts";

const SERVER_PARENT = "group: policy.tulle.dev, kind: Server, name: web";

function policy(kind: string, name: string, spec: string, metadata = ""): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop${metadata}}
spec: ${spec}
`;
}

function authorization(name: string, target: string, more = "", refs = "{kind: MeshTLSAuthentication, name: front}") {
  return policy(
    "AuthorizationPolicy",
    name,
    `{targetRef: {${target}}, requiredAuthenticationRefs: [${refs}]${more}}`,
  );
}

const OLD = ', creationTimestamp: "2026-01-01T00:00:00Z"';
const OBJECTS = [
  workload("web", "10.77.0.5"),
  workload("front", "10.77.0.6"),
  service("web", "10.96.0.1"),
  "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {tulle.dev/default-inbound-policy: audit}}\n",
  policy("Server", "web", "{externalWorkloadSelector: {}, port: http}"),
  policy("Server", "zeb", "{externalWorkloadSelector: {}, port: 8080}"), // the same port; comes later by name
  policy("Server", "raw", "{externalWorkloadSelector: {matchLabels: {app: web}}, port: 9000, accessPolicy: audit}"),
  policy("Server", "old", "{externalWorkloadSelector: {matchLabels: {app: web}}, port: 9000}", OLD), // as it is older
  policy("MeshTLSAuthentication", "front", "{identityRefs: [{kind: ServiceAccount, name: front}]}"),
  policy("NetworkAuthentication", "lan", "{networks: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}]}"),
  authorization("a", "kind: Server, name: web"),
  authorization("b", "kind: Server, name: web", ", action: Deny"),
  authorization("c", "kind: Namespace, name: shop", ", mode: audit"),
  authorization("d", "kind: HTTPRoute, name: one", "", "{kind: NetworkAuthentication, name: lan}"),
  authorization("e", "kind: HTTPRoute, name: two", ", action: Deny, mode: audit"),
  httpRoute("one", "[{matches: [{path: {value: /a}}, {method: GET}]}]", { parent: SERVER_PARENT }),
  httpRoute("two", "[{matches: [{path: {value: /a}}]}, {matches: [{method: GET}]}]", { parent: SERVER_PARENT }),
  httpRoute("three", "[{matches: [{path: {value: /a}}]}]", { parent: SERVER_PARENT, metadata: OLD }),
  httpRoute("host", "[{}]", { parent: SERVER_PARENT, hostnames: "[web.example]" }),
];

/** The authorizations of a target are a set; the proxy puts them in an order of its own. */
function sorted(workload: InboundWorkload | null) {
  const byName = (list: readonly Authorization[]) => [...list].sort((a, b) => (a.policy.name < b.policy.name ? -1 : 1));
  return {
    ...workload,
    ports: workload?.ports.map((port) => ({
      ...port,
      authorizations: byName(port.authorizations),
      routes: port.routes.map((route) => ({ ...route, authorizations: byName(route.authorizations) })),
    })),
  };
}

test("inbound() is the same in any order of the objects", () => {
  const told = (objects: readonly string[]) => sorted(world(objects.join("")).inbound("shop", "web-0"));
  const want = told(OBJECTS);
  expect(want.ports?.map(({ port, server }) => `${port} ${server?.name}`)).toEqual(["8080 web", "9000 old"]);
  expect(want.ports?.[0]?.routes.map(({ route }) => route.name)).toEqual(
    ["host", "three", "one", "two", "one", "two"],
  );
  fc.assert(
    fc.property(
      fc.shuffledSubarray(OBJECTS, { minLength: OBJECTS.length }),
      (objects) => expect(told(objects)).toEqual(want),
    ),
    { numRuns: 20 },
  );
});
