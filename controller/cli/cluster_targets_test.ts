import { expect, test } from "bun:test";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { findPods } from "./cluster_targets.ts";

function pod(
  name: string,
  owner: [string, string] | null,
  labels: Record<string, string> = {},
  meshed = true,
): KubeObject {
  const [kind, ownerName] = owner ?? [];
  return {
    metadata: {
      namespace: "shop",
      name,
      labels,
      ownerReferences: owner === null ? [] : [{ kind, name: ownerName, controller: true }],
    },
    spec: { initContainers: meshed ? [{ name: "tulle-proxy" }] : [] },
    status: { phase: "Running" },
  };
}

const PODS = [
  pod("web-5d4f-x", ["ReplicaSet", "web-5d4f"], { "pod-template-hash": "5d4f" }),
  pod("db-0", ["StatefulSet", "db"]),
  pod("tick-29000001-abc", ["Job", "tick-29000001"]),
  pod("lone", null),
  pod("outside", null, {}, false),
];
const client = { list: () => Promise.resolve(PODS) } as unknown as KubeClient;

test.each<[string[], string[], boolean]>([
  [[], ["web-5d4f-x", "db-0", "tick-29000001-abc", "lone"], false],
  [["deploy"], ["web-5d4f-x"], false],
  [["deploy", "web"], ["web-5d4f-x"], false],
  [["deploy/web"], ["web-5d4f-x"], false],
  [["sts/db", "pod/lone"], ["db-0", "lone"], true],
  [["web"], ["web-5d4f-x"], false],
  [["cronjob/tick"], ["tick-29000001-abc"], false],
  [["pods"], ["web-5d4f-x", "db-0", "tick-29000001-abc", "lone"], true],
])("findPods: %j", async (words, names, isByPod) => {
  const found = await findPods(client, "shop", words);
  expect([found.pods.map(({ name }) => name), found.isByPod]).toEqual([names, isByPod]);
});

test.each([
  [["deploy/webb"], 'no meshed pod of "webb" is in namespace shop; did you mean web?'],
  [["outside"], 'no meshed pod of "outside"'],
  [["deplyo/web"], '"deplyo" is no kind of workloads: did you mean deploy?'],
])("findPods: %j is explained", async (words, message) => {
  await expect(findPods(client, "shop", words)).rejects.toThrow(message);
});
