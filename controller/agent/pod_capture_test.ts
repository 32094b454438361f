import { expect, test } from "bun:test";
import { captureOf, type NodePod } from "./pod_capture.ts";

function pod(value: string | null): NodePod {
  const env = value === null ? [] : [{ name: "TULLE_EGRESS_DNS", value }];
  return {
    metadata: { annotations: {} },
    spec: { initContainers: [{ name: "tulle-proxy", env }], containers: [{ name: "app" }] },
  };
}

test.each([[null, null], ["off", null], ["pinned", 4153]])(
  "captureOf() captures DNS where the sidecar was told so: %p, %p",
  (value, dnsPort) => {
    expect(captureOf(pod(value))).toMatchObject({ meshed: true, plan: { dnsPort } });
  },
);
