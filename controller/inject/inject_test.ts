import { expect, test } from "bun:test";
import { applyPatch } from "./apply_patch.ts";
import { injectPod } from "./inject.ts";
import type { PodTemplate } from "./pod.ts";
import { readSettings, type SidecarSettings } from "./settings.ts";
import { uninjectPod } from "./uninject.ts";
import { judgePod } from "./verdict.ts";

const DEFAULTS: SidecarSettings = {
  image: "tulle:1",
  imagePullPolicy: "IfNotPresent",
  cpuRequest: "10m",
  cpuLimit: null,
  memoryRequest: "32Mi",
  memoryLimit: "256Mi",
  logLevel: "info",
  accessLog: "off",
  drainGrace: "30s",
  workers: 1,
  adminAllow: "",
  egressDns: "off",
};
const OPTIONS = { defaults: DEFAULTS, version: "1.2.3" };
const SHOP = { annotations: { "tulle.dev/inject": "enabled" }, labels: {} };

function inject(pod: PodTemplate, annotations: Record<string, string> = {}) {
  const { patch, warnings } = injectPod(pod, { annotations }, OPTIONS);
  // deno-lint-ignore no-explicit-any
  return { pod: applyPatch(pod, patch) as any, warnings };
}

test("inject: the sidecar is the first init container, and what was there stays", () => {
  const before: PodTemplate = {
    metadata: { name: "web", labels: { app: "web" }, annotations: { "x.y/z": "1" } },
    spec: {
      initContainers: [{ name: "migrate" }],
      containers: [{ name: "web", ports: [{ name: "http", containerPort: 8080 }] }],
      volumes: [{ name: "data", emptyDir: {} }],
    },
  };
  const { pod, warnings } = inject(before);
  expect(warnings).toEqual([]);
  expect(pod.spec.initContainers.map(({ name }: { name: string }) => name)).toEqual(["tulle-proxy", "migrate"]);
  expect(pod.spec.initContainers[0].restartPolicy).toBe("Always");
  expect(pod.spec.containers).toEqual(before.spec?.containers);
  expect(pod.spec.volumes.map(({ name }: { name: string }) => name)).toEqual([
    "data",
    "tulle-token",
    "tulle-trust-bundle",
    "tulle-state",
  ]);
  expect(pod.metadata.labels).toEqual({ app: "web", "tulle.dev/meshed": "true" });
  expect(pod.metadata.annotations).toEqual({ "x.y/z": "1", "tulle.dev/injected": "1.2.3" });
});

test("inject: a pod with nothing but a container", () => {
  const { pod } = inject({ spec: { containers: [{ name: "web" }] } });
  expect(pod).toMatchSnapshot();
});

test("inject: settings of the pod win over those of its namespace, and capture's are carried along", () => {
  const pod = { metadata: { annotations: { "tulle.dev/proxy-log-level": "debug" } }, spec: { containers: [] } };
  const namespace = {
    "tulle.dev/proxy-log-level": "error",
    "tulle.dev/proxy-cpu-limit": "1",
    "tulle.dev/skip-outbound-ports": "25",
    "tulle.dev/egress-dns": "pinned",
  };
  const [sidecar] = inject(pod, namespace).pod.spec.initContainers;
  expect(sidecar.env).toContainEqual({ name: "TULLE_LOG_LEVEL", value: "debug" });
  expect(sidecar.resources.limits).toEqual({ cpu: "1", memory: "256Mi" });
  expect(inject(pod, namespace).pod.metadata.annotations["tulle.dev/skip-outbound-ports"]).toBe("25");
  expect(JSON.stringify(inject(pod, namespace).pod)).toContain('{"name":"TULLE_EGRESS_DNS","value":"pinned"}');
});

test("inject: TCP and HTTPS probes are asked of the sidecar, others stay", () => {
  const http = { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 3 };
  const { pod } = inject({
    metadata: {},
    spec: {
      initContainers: [{ name: "warm", startupProbe: { tcpSocket: { port: 9000 } } }],
      containers: [
        {
          name: "web",
          ports: [{ name: "tls", containerPort: 8443 }],
          readinessProbe: http,
          livenessProbe: { tcpSocket: { port: "tls" }, failureThreshold: 9 },
        },
        { name: "two", readinessProbe: { httpGet: { path: "/up", port: "8443", scheme: "HTTPS" } } },
        {
          name: "three",
          readinessProbe: { tcpSocket: { port: 9000 } },
          livenessProbe: { exec: { command: ["true"] } },
        },
      ],
    },
  });
  const ask = (index: number) => ({ httpGet: { path: `/probe/${index}`, port: 4191 } });
  expect(pod.spec.initContainers[1].startupProbe).toEqual(ask(0));
  expect(pod.spec.containers[0].readinessProbe).toEqual(http);
  expect(pod.spec.containers[0].livenessProbe).toEqual({ ...ask(1), failureThreshold: 9 });
  expect(pod.spec.containers[1].readinessProbe).toEqual(ask(2));
  expect(pod.spec.containers[2].readinessProbe).toEqual(ask(0));
  expect(pod.spec.containers[2].livenessProbe).toEqual({ exec: { command: ["true"] } });
  const probes = pod.spec.initContainers[0].env.find(({ name }: { name: string }) => name === "TULLE_PROBES");
  expect(probes.value).toBe("tcp:9000,tcp:8443,https:8443/up");
});

test.each<[string, PodTemplate, typeof SHOP, string]>([
  ["nobody asks", { spec: {} }, { annotations: {} as never, labels: {} }, "skip: neither the pod"],
  ["its namespace asks", { spec: {} }, SHOP, "inject"],
  ["the pod declines", { metadata: { annotations: { "tulle.dev/inject": "disabled" } } }, SHOP, "skip"],
  ["injected already", { spec: { initContainers: [{ name: "tulle-proxy" }] } }, SHOP, "skip: it has a sidecar"],
  ["host network", { spec: { hostNetwork: true } }, SHOP, "refuse: it uses its node's network"],
  ["the proxy's user", { spec: { securityContext: { runAsUser: 2102 }, containers: [{ name: "a" }] } }, SHOP, "refuse"],
  [
    "a slip",
    { metadata: { annotations: { "tulle.dev/inject": "true" } } },
    SHOP,
    "refuse: annotation tulle.dev/inject",
  ],
  ["the control plane", { metadata: { labels: { "tulle.dev/control-plane": "" } } }, SHOP, "skip: it belongs"],
])("judge: %s", (_name, pod, namespace, expected) => {
  const verdict = judgePod(pod, namespace);
  expect(verdict.kind === "inject" ? "inject" : `${verdict.kind}: ${verdict.reason}`).toStartWith(expected);
});

test("settings: what cannot be read is named with the wanted form, and the default stays", () => {
  const { settings, warnings } = readSettings(
    { "tulle.dev/proxy-cpu-request": "lots", "tulle.dev/proxy-cpu-limits": "1" },
    { "tulle.dev/proxy-drain-grace": "1h" },
    DEFAULTS,
  );
  expect(settings).toEqual(DEFAULTS);
  expect(warnings).toEqual([
    "annotation tulle.dev/proxy-cpu-limits of the pod is unknown: did you mean tulle.dev/proxy-cpu-limit? (ignored)",
    'annotation tulle.dev/proxy-cpu-request of the pod: found "lots", want a quantity of Kubernetes such as 100m or 64Mi (ignored)',
    'annotation tulle.dev/proxy-drain-grace of its namespace: found "1h", want a duration such as 500ms, 10s or 1m30s, at most 10m (ignored)',
  ]);
});

test("uninject: gives back what inject was given", () => {
  const before: PodTemplate = {
    metadata: { labels: { app: "web" }, annotations: { a: "b" } },
    spec: {
      containers: [
        { name: "web", readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 2 } },
        { name: "tls", livenessProbe: { httpGet: { path: "/up", port: 8443, scheme: "HTTPS" } } },
      ],
      volumes: [{ name: "data" }],
    },
  };
  expect(uninjectPod(inject(before).pod)).toEqual(before);
  expect(uninjectPod(before)).toBeNull();
});
