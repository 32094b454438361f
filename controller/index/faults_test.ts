import { expect, test } from "bun:test";
import { parseFile } from "../kube/parse_file.ts";
import { formatProblem } from "../kube/problem.ts";
import { outbound, service, workload, world } from "./_testing.ts";

const BASE = workload("web", "10.77.0.5") + service("web", "10.96.0.5");

function fault(spec: string, metadata = "", target = "kind: Service, name: web"): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: FaultInjection
metadata: {name: chaos, namespace: shop${metadata}}
spec: {targetRef: {${target}}, ${spec}}
`;
}

const faults = (text: string) => outbound(world(BASE + text), "web:80").routes[0]?.faults;

test("a fault reaches the routes of its Service, with the time of its end", () => {
  expect(faults("")).toBeUndefined();
  const spec =
    "percent: 5, until: '2030-01-01T00:00:00Z', delay: 2s, clientRefs: [{kind: ServiceAccount, name: front}]";
  expect(faults(fault(spec))).toMatchObject([{
    share: 500,
    untilMs: Date.parse("2030-01-01T00:00:00Z"),
    delayMs: 2000,
    identities: ["spiffe://cluster.local/ns/shop/sa/front"],
  }]);
  const made = ", creationTimestamp: '2026-01-01T00:00:00Z'";
  expect(faults(fault("for: 10m, reset: true", made))).toMatchObject([{ untilMs: Date.parse("2026-01-01T00:10:00Z") }]);
});

test.each([
  ["reset: true", "found neither, want either until or for: a fault must end"],
  ["reset: true, for: 5m", "want until instead: an object of a file has no time at which it was made"],
  ["until: tomorrow, reset: true", 'spec.until: found "tomorrow", want a time such as'],
  ["until: '2030-01-01T00:00:00Z'", "found no fault, want delay, abort, reset or bandwidth"],
  ["until: '2030-01-01T00:00:00Z', bandwidth: {}", "spec.bandwidth: found a mapping, want requestBytesPerSecond"],
  ["until: '2030-01-01T00:00:00Z', abort: {}", "spec.abort: found a mapping, want httpStatus or grpcStatus"],
  ["until: '2030-01-01T00:00:00Z', reset: true, percent: 101", "spec.percent: found 101, want a number 0–100"],
])("%s is refused with what is wanted", (spec, want) => {
  expect(parseFile("f.yaml", fault(spec)).errors.map(formatProblem).join("\n")).toContain(want);
});
