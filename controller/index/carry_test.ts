import { expect, test } from "bun:test";
import fc from "fast-check";
import type { DirectoryChange } from "../core/directory.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import { parseTarget, type Target } from "../core/target.ts";
import { NO_ADDRESSES } from "../kube/addresses.ts";
import { ResourceStore } from "../kube/store.ts";
import { httpRoute, OPTIONS, resources, service, workload } from "./_testing.ts";
import { World } from "./world.ts";
import { WorldSource } from "./world_source.ts";

/** Objects that come and go, in several versions each; two namespaces, routes across them, policies that refer across. */
const VARIANTS: readonly (readonly string[])[] = [
  [workload("web", "10.0.0.1"), workload("web", "10.0.0.2")],
  [service("web", "10.9.0.1"), service("web", "10.9.0.1", "[{port: 80, targetPort: 8080, appProtocol: grpc}]")],
  [inOther(workload("api", "10.0.1.1")), inOther(workload("api", "10.0.1.2"))],
  [inOther(service("api", "10.9.1.1"))],
  [httpRoute("split", "[{backendRefs: [{name: api, namespace: other, port: 80}]}]"), httpRoute("split", "[{}]")],
  [inOther(
    httpRoute("consumer", "[{backendRefs: [{name: api, port: 80}]}]", {
      parent: "kind: Service, name: web, namespace: shop",
    }),
  )],
  [slice("10.0.1.1"), slice("10.0.1.2"), slice("10.0.7.7")],
  [namespace("shop", "deny"), namespace("shop", "audit")],
  [server()],
  [pod("db-0", "shop", "10.0.1.1"), pod("db-0", "shop", "10.0.1.2"), pod("db-0", "shop", "10.0.1.1", "finished")],
  [pod("db-1", "other", "10.0.1.1"), pod("db-1", "other", "10.0.1.2", "terminating"), pod("db-1", "other", "10.0.7.7")],
  [pod("db-2", "other", "10.0.1.1", "terminating"), pod("db-2", "other", "10.0.1.1")],
  [pod("web-0", "shop", "10.0.1.2"), pod("web-0", "shop", "10.0.0.1")],
  [
    slice("10.0.1.1").replace("web-x", "web-y"),
    slice("10.0.0.1").replace("web-x", "web-y"),
    slice("10.0.1.2").replace("service-name: web", "service-name: api").replaceAll("shop", "other"),
  ],
  [authentication("10.1.0.0/16"), authentication("10.2.0.0/16")],
];

const memory = new Map<string, ReturnType<typeof resources>>();

function parsed(text: string) {
  const known = memory.get(text) ?? resources(text);
  memory.set(text, known);
  return known;
}

function inOther(yaml: string): string {
  return yaml.replace("namespace: shop,", "namespace: other,").replace("namespace: shop}", "namespace: other}");
}

function slice(ip: string): string {
  return `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [${ip}]}]
ports: [{port: 8080}]
`;
}

function pod(name: string, namespace: string, ip: string, state = ""): string {
  const deleted = state === "terminating" ? ', deletionTimestamp: "2026-01-01T00:00:00Z"' : "";
  return `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: web}${deleted}}
spec: {serviceAccountName: ${name}, containers: [{name: a, ports: [{containerPort: 8080}]}]}
status: {phase: ${state === "finished" ? "Succeeded" : "Running"}, podIPs: [{ip: ${ip}}]}
`;
}

function namespace(name: string, policy: string): string {
  return `---
apiVersion: v1
kind: Namespace
metadata: {name: ${name}, annotations: {tulle.dev/default-inbound-policy: ${policy}}}
`;
}

function server(): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: Server
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, port: http}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: web, namespace: shop}
spec:
  targetRef: {kind: Server, name: web}
  requiredAuthenticationRefs: [{kind: NetworkAuthentication, name: net, namespace: other}]
`;
}

function authentication(cidr: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: NetworkAuthentication
metadata: {name: net, namespace: other}
spec: {networks: [{cidr: ${cidr}}]}
`;
}

const WORKLOADS = [["shop", "web-0"], ["other", "api-0"], ["shop", "db-0"], ["other", "db-1"], [
  "other",
  "db-2",
]] as const;
const TARGETS = ["10.9.0.1:80", "10.9.1.1:80", "web.shop:80", "10.0.0.1:8080", "10.0.1.1:8080", "10.0.1.2:8080"];

interface Asked {
  readonly target: Target | null;
  readonly answer: InboundWorkload | OutboundTarget | null;
}

function answers(world: World): Asked[] {
  const outbound = TARGETS.flatMap((text) => {
    const target = parseTarget(text);
    return target === null
      ? []
      : ["shop", "other", "third"].map((from): Asked => ({ target, answer: world.outbound(target, from, "") }));
  });
  const inbound = WORKLOADS.map(([from, name]): Asked => ({ target: null, answer: world.inbound(from, name) }));
  return [...outbound, ...inbound];
}

/** Whether those that have the answer were told that it is another. */
function isTouched(change: DirectoryChange | null, answer: InboundWorkload | OutboundTarget, target: Target | null) {
  if (change === null) return false;
  if (change.isAll || change.answers.has(answer)) return true;
  return target?.kind === "address" && "known" in answer && !answer.known && change.addresses.has(target.ip);
}

const change = fc.tuple(fc.nat(VARIANTS.length - 1), fc.nat(3));

test("a world that takes over answers gives the same as one that computes everything, and says which are others", async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 25 }), async (changes) => {
      const store = new ResourceStore();
      const source = new WorldSource(store, OPTIONS);
      const present = new Map<number, string>();
      let touched: DirectoryChange | null = null;
      source.onChange((now) => touched = now);
      let before = answers(source.current);
      for (const [which, version] of changes) {
        const text = VARIANTS[which]?.[version];
        if (text === undefined) present.delete(which);
        else present.set(which, text);
        touched = null;
        store.replace([...present.values()].flatMap(parsed));
        const after = answers(source.current);
        expect(after).toEqual(answers(new World(store, NO_ADDRESSES, OPTIONS)));
        await Promise.resolve();
        for (const [at, { target, answer }] of before.entries()) {
          if (answer === null || Bun.deepEquals(answer, after[at]?.answer)) continue;
          expect([target?.text ?? "inbound", isTouched(touched, answer, target)])
            .toEqual([target?.text ?? "inbound", true]);
          told++;
        }
        before = after;
      }
    }),
    { numRuns: 200 },
  );
  expect(told).toBeGreaterThan(200);
});

test("answers that a change does not touch stay the same objects", () => {
  const store = new ResourceStore();
  const source = new WorldSource(store, OPTIONS);
  const rest = [workload("web", "10.0.0.1"), service("web", "10.9.0.1"), inOther(service("api", "10.9.1.1"))].join("");
  store.replace(resources(rest + inOther(workload("api", "10.0.1.1"))));
  const ask = () =>
    ["10.9.0.1:80", "10.9.1.1:80"].map((text) => source.current.outbound(parseTarget(text) as never, "third", ""));
  const [web, api] = ask();
  store.replace(resources(rest + inOther(workload("api", "10.0.1.2"))));
  const [webAfter, apiAfter] = ask();
  expect(webAfter).toBe(web);
  expect(apiAfter).not.toEqual(api);
});

test("a pod touches what leads to its address, and nothing else of its namespace", async () => {
  const store = new ResourceStore();
  const source = new WorldSource(store, OPTIONS);
  const rest = [
    service("web", "10.9.0.1"),
    service("api", "10.9.1.1"),
    slice("10.0.1.1"),
    slice("10.0.1.2").replaceAll("web", "api"),
  ]
    .join("");
  store.replace(resources(rest + pod("db-0", "shop", "10.0.1.1")));
  const ask = () =>
    ["10.9.0.1:80", "10.9.1.1:80"].map((text) => source.current.outbound(parseTarget(text) as never, "third", ""));
  const [web, api] = ask();
  store.replace(
    resources(rest + pod("db-0", "shop", "10.0.1.1").replace("serviceAccountName: db-0", "serviceAccountName: other")),
  );
  const [webAfter, apiAfter] = ask();
  expect(webAfter?.backends[0]?.endpoints[0]?.workload).toEqual({ namespace: "shop", name: "db-0" });
  expect(webAfter).not.toBe(web);
  expect(apiAfter).toBe(api);
});
