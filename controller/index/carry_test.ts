import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseTarget } from "../core/target.ts";
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

const TARGETS = ["10.9.0.1:80", "10.9.1.1:80", "web.shop:80", "10.0.0.1:8080", "10.0.1.1:8080", "10.0.1.2:8080"];

function answers(world: World): unknown {
  const outbound = TARGETS.flatMap((text) => {
    const target = parseTarget(text);
    return target === null ? [] : ["shop", "other", "third"].map((from) => world.outbound(target, from, ""));
  });
  return [outbound, world.inbound("shop", "web-0"), world.inbound("other", "api-0")];
}

test("a world that takes over answers gives the same as one that computes everything", () => {
  const change = fc.tuple(fc.nat(VARIANTS.length - 1), fc.nat(3));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), (changes) => {
      const store = new ResourceStore();
      const source = new WorldSource(store, OPTIONS);
      const present = new Map<number, string>();
      for (const [which, version] of changes) {
        const text = VARIANTS[which]?.[version];
        if (text === undefined) present.delete(which);
        else present.set(which, text);
        store.replace([...present.values()].flatMap(parsed));
        const fresh = new World(store, NO_ADDRESSES, OPTIONS);
        expect(answers(source.current)).toEqual(answers(fresh));
      }
    }),
    { numRuns: 200 },
  );
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
