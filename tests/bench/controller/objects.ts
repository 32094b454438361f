/** The objects of the load: namespaces of Services, each with pods of its own and one EndpointSlice. */
import { TYPES } from "../../../controller/api/resource_type.ts";
import { ApiError } from "../../../controller/api/api_error.ts";
import type { KubeClient, KubeObject } from "../../../controller/api/client.ts";
import { SIDECAR_CONTAINER } from "../../../controller/core/cluster_names.ts";

export interface Shape {
  readonly namespaces: number;
  /** Services in all. */
  readonly services: number;
  /** Pods in all. */
  readonly pods: number;
}

export interface ServiceAt {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIp: string;
  readonly pods: readonly PodAt[];
}

export interface PodAt {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly ip: string;
}

/** Requests that are made at the same time: more only wait inside the API server. */
const PARALLEL = 32;
const PORT = 8080;

/** What is to be made. Pure; the same for the same shape. */
export function planServices({ namespaces, services, pods }: Shape): ServiceAt[] {
  return Array.from({ length: services }, (_, at) => {
    const namespace = `load-${at % namespaces}`;
    const name = `svc-${Math.floor(at / namespaces)}`;
    const count = Math.floor(pods / services) + (at < pods % services ? 1 : 0);
    return {
      namespace,
      name,
      clusterIp: `10.97.${at >> 8}.${at & 255}`,
      pods: Array.from({ length: count }, (_, index) => podAt(namespace, name, at, index)),
    };
  });
}

/** Pod number `index` of Service number `at`: addresses never meet. */
export function podAt(namespace: string, service: string, at: number, index: number): PodAt {
  const serial = at * 4096 + index;
  const ip = `10.${128 + ((serial >> 16) & 127)}.${(serial >> 8) & 255}.${serial & 255}`;
  return { namespace, name: `${service}-${index}`, serviceAccount: service, ip };
}

/** Makes everything. */
export async function createAll(client: KubeClient, services: readonly ServiceAt[]): Promise<void> {
  const namespaces = [...new Set(services.map(({ namespace }) => namespace))];
  await inParallel(namespaces, async (name) => {
    await client.create(TYPES.Namespace, null, { metadata: { name, annotations: { "tulle.dev/inject": "enabled" } } });
  });
  await inParallel(services, async (service) => {
    const { namespace, name } = service;
    await client.create(TYPES.ServiceAccount, namespace, { metadata: { name } });
    await client.create(TYPES.Service, namespace, serviceObject(service));
    await client.create(TYPES.EndpointSlice, namespace, sliceObject(service));
  });
  await inParallel(services.flatMap(({ pods }) => pods), (pod) => createPod(client, pod));
}

/** A pod that runs: as the API server has it once its kubelet has said so. */
export async function createPod(client: KubeClient, pod: PodAt): Promise<void> {
  const { namespace, name } = pod;
  const created = await client.create(TYPES.Pod, namespace, podObject(pod)).catch(async (error: unknown) => {
    // The API server closes connections that are idle for 90 s, which a request may find out too late.
    if (!(error instanceof ApiError && error.status === 0)) throw error;
    return await client.find(TYPES.Pod, namespace, name) ?? await client.create(TYPES.Pod, namespace, podObject(pod));
  });
  await client.replace(TYPES.Pod, {
    ...created,
    metadata: { ...created.metadata, namespace, name },
    status: podStatus(pod),
  }, "status");
}

export async function deletePod(client: KubeClient, { namespace, name }: PodAt): Promise<void> {
  await client.delete(TYPES.Pod, namespace, name, { gracePeriodSeconds: 0 });
}

/** The slice as Kubernetes' own controller would write it. */
export function sliceObject(
  { namespace, name, pods }: ServiceAt,
): KubeObject & { readonly endpoints: readonly unknown[] } {
  return {
    metadata: { namespace, name: `${name}-x`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port: PORT, protocol: "TCP", appProtocol: "http" }],
    endpoints: pods.map((pod) => ({
      addresses: [pod.ip],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: "nowhere",
      zone: "zone-a",
      targetRef: { kind: "Pod", namespace, name: pod.name },
    })),
  };
}

export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    for (let at = next++; at < items.length; at = next++) await work(items[at] as T); // within bounds
  };
  await Promise.all(Array.from({ length: PARALLEL }, run));
}

function serviceObject({ name, clusterIp }: ServiceAt) {
  return {
    metadata: { name },
    spec: {
      clusterIP: clusterIp,
      selector: { app: name },
      ports: [{ name: "http", port: 80, targetPort: "http", appProtocol: "http" }],
    },
  };
}

/** About as large as pods are: with probes, resources, volumes and a sidecar. */
function podObject({ name, serviceAccount }: PodAt) {
  const probe = { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 10 };
  const resources = { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } };
  const env = Array.from({ length: 12 }, (_, at) => ({ name: `SETTING_${at}`, value: `value-of-setting-${at}` }));
  return {
    metadata: {
      name,
      labels: { app: serviceAccount, "pod-template-hash": "5d5f7b8c9", "tulle.dev/meshed": "true" },
      annotations: { "tulle.dev/injected": "1", "example.org/checksum": "0".repeat(64) },
    },
    spec: {
      nodeName: "nowhere",
      serviceAccountName: serviceAccount,
      initContainers: [{
        name: SIDECAR_CONTAINER,
        image: "tulle:bench",
        restartPolicy: "Always",
        env,
        resources,
        ports: [{ name: "tulle-admin", containerPort: 4191 }],
        startupProbe: { httpGet: { path: "/ready", port: 4191 } },
      }],
      containers: [{
        name: "app",
        image: "app:bench",
        env,
        resources,
        ports: [{ name: "http", containerPort: PORT }],
        readinessProbe: probe,
        livenessProbe: probe,
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      }],
      volumes: [{ name: "data", emptyDir: {} }],
    },
  };
}

function podStatus({ ip }: PodAt) {
  const since = "2026-01-01T00:00:00Z";
  const condition = (type: string) => ({ type, status: "True", lastTransitionTime: since });
  return {
    phase: "Running",
    podIP: ip,
    podIPs: [{ ip }],
    hostIP: "10.0.0.1",
    startTime: since,
    conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition),
    containerStatuses: [{
      name: "app",
      image: "app:bench",
      imageID: `sha256:${"0".repeat(64)}`,
      containerID: `containerd://${"0".repeat(64)}`,
      ready: true,
      restartCount: 0,
      started: true,
      state: { running: { startedAt: since } },
    }],
  };
}
