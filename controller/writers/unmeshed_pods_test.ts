import { expect, test } from "bun:test";
import type { Namespace, Pod } from "../kube/resources.ts";
import { unmeshedPods } from "./unmeshed_pods.ts";

type Texts = Readonly<Record<string, string>>;

function meta(namespace: string, name: string, annotations: Texts = {}, labels: Texts = {}) {
  return { kind: "Pod", namespace, name, labels, annotations, createdMs: 0 };
}

function pod(namespace: string, name: string, more: Partial<Pod> = {}, annotations: Texts = {}): Pod {
  return {
    kind: "Pod",
    meta: meta(namespace, name, annotations),
    serviceAccountName: "default",
    podIPs: [],
    hostNetwork: false,
    nodeName: "",
    ports: [],
    probes: [],
    meshed: false,
    ready: true,
    finished: false,
    terminating: false,
    owner: null,
    ...more,
  };
}

const ENABLED = { "tulle.dev/inject": "enabled" };
const NAMESPACES: readonly Namespace[] = [
  { kind: "Namespace", meta: meta("", "shop", ENABLED) },
  { kind: "Namespace", meta: meta("", "plain") },
  { kind: "Namespace", meta: meta("", "tulle", ENABLED, { "tulle.dev/control-plane": "" }) },
];

function found(...pods: readonly Pod[]): string[] {
  const store = {
    list: () => pods,
    get: (_kind: string, _namespace: string, name: string) =>
      NAMESPACES.find((each) => each.meta.name === name) ?? null,
  };
  return unmeshedPods(store as never).map(({ pod: { meta }, refusal }) =>
    `${meta.namespace}/${meta.name} ${refusal}`.trim()
  );
}

test("pods without a sidecar are found where it was asked for", () => {
  expect(found(pod("shop", "a"), pod("plain", "b"), pod("plain", "c", {}, ENABLED), pod("tulle", "d"))).toEqual([
    "shop/a",
    "plain/c",
  ]);
});

test("meshed, finished, terminating and unwilling pods are well as they are", () => {
  const unwilling = pod("shop", "d", {}, { "tulle.dev/inject": "disabled" });
  expect(found(
    pod("shop", "a", { meshed: true }),
    pod("shop", "b", { finished: true }),
    pod("shop", "c", { terminating: true }),
    unwilling,
  )).toEqual([]);
});

test("a pod that cannot be meshed says why", () => {
  expect(found(pod("shop", "host", { hostNetwork: true }, { "tulle.dev/not-injected": "host_network" }))).toEqual([
    "shop/host host_network",
  ]);
});
