import { expect, test } from "bun:test";
import { parseFile } from "../kube/parse_file.ts";
import { outbound, service, workload, world } from "./_testing.ts";

const IP = "10.96.0.1";

/** What clients are told about choosing an endpoint of "web". */
function told(more: { metadata?: string; spec?: string; policy?: string }) {
  const web = service("web", IP, `[{port: 80, targetPort: http}]${more.spec ?? ""}`, more.metadata);
  const policy = more.policy === undefined ? "" : policyOf(more.policy);
  const [backend] = outbound(world(workload("web", "10.1.0.1") + web + policy), `${IP}:80`).backends;
  return backend?.resilience?.hash ?? null;
}

function policyOf(hash: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: BackendPolicy
metadata: {name: web, namespace: shop}
spec: {targetRef: {kind: Service, name: web}, loadBalancing: {consistentHash: ${hash}}}
`;
}

const AFFINE = "\n  sessionAffinity: ClientIP";

test.each([
  ["a header, in any case", { policy: "{header: X-User}" }, ["header", "x-user", 200, null]],
  ["a cookie", { policy: "{cookie: Sid, balanceFactor: 150}" }, ["cookie", "Sid", 150, null]],
  ["a parameter, without a bound", { policy: "{queryParam: q, balanceFactor: 0}" }, ["query", "q", 0, null]],
  ["the address", { policy: "{sourceIP: true}" }, ["source_ip", "", 200, null]],
  ["the identity", { policy: "{identity: true, sourceIP: false}" }, ["identity", "", 200, null]],
  ["an annotation", { metadata: ", annotations: {balancer.tulle.dev/consistent-hash: cookie=sid}" }, [
    "cookie",
    "sid",
    200,
    null,
  ]],
  ["session affinity, for three hours", { spec: AFFINE }, ["source_ip", "", 0, 10_800_000]],
  ["… or as long as is said", { spec: `${AFFINE}\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 7}}` }, [
    "source_ip",
    "",
    0,
    7000,
  ]],
  ["a policy before session affinity", { spec: AFFINE, policy: "{header: a}" }, ["header", "a", 200, null]],
])("endpoints are chosen by %s", (_, more, [by, name, balancePercent, affinityMs]) => {
  expect(told(more)).toEqual({ by, name, balancePercent, affinityMs } as unknown as ReturnType<typeof told>);
});

test.each([
  ["{}", "consistentHash: found none, want one of header, cookie, queryParam, sourceIP: true, identity: true"],
  ["{header: a, cookie: b}", "found header and cookie, want one of"],
  ["{header: a, identity: true}", "found header and identity, want one of"],
  ["{header: 'a b'}", 'header: found "a b", want the name of a header'],
  ["{cookie: 'a=b'}", 'cookie: found "a=b", want the name of a cookie'],
  ["{header: a, balanceFactor: 90}", "balanceFactor: found 90, want 0 for no bound, or 101–1000"],
  ["{header: a, balanceFactor: 2000}", "balanceFactor: found 2000, want a number 0–1000"],
  ["{haeder: a}", "unknown key, did you mean"],
])("a policy with %s is refused", (hash, detail) => {
  const { errors } = parseFile("p.yaml", policyOf(hash));
  expect(errors.map((error) => `${error.path}: ${error.detail}`).join("\n")).toContain(detail);
});
