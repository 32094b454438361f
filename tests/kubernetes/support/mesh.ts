/** The mesh on a cluster, and workloads to try it with. */
import { eventually } from "../../support/eventually.ts";
import { type Cluster, IMAGE } from "./cluster.ts";

/** A loaded machine with two cores takes its time. */
export const READY_TIMEOUT_MS = 120_000;

/** Most of a node's file system is the machine's in the test bed; agents of several nodes must not share a socket. */
export const NODES_OWN = ["--set", "agentSocketDir=/run/containerd/tulle"];

/** Installs the mesh as a user does, and waits until all its parts are ready. @returns how long it took, milliseconds */
export async function installMesh(cluster: Cluster, args: readonly string[] = []): Promise<number> {
  const since = performance.now();
  const { code, stdout, stderr } = await cluster.tulle(["install", "--image", IMAGE, ...NODES_OWN, ...args]);
  if (code !== 0) throw new Error(`tulle install: ${stderr}`);
  await cluster.apply(stdout);
  await rolledOut(cluster, "tulle", "deployment/controller");
  await rolledOut(cluster, "tulle", "daemonset/cni");
  return performance.now() - since;
}

/** Waits for a rollout. */
export async function rolledOut(cluster: Cluster, namespace: string, workload: string): Promise<void> {
  await cluster.kubectl(["-n", namespace, "rollout", "status", workload, `--timeout=${READY_TIMEOUT_MS / 1000}s`]);
}

/** Makes a namespace whose pods are meshed. */
export async function meshedNamespace(cluster: Cluster, name: string): Promise<void> {
  await cluster.apply(`apiVersion: v1
kind: Namespace
metadata: {name: ${name}, annotations: {tulle.dev/inject: enabled}}
`);
}

export interface WebOptions {
  readonly replicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A Deployment of busybox's web server that answers with its pod's name, and its Service on port 80. */
export function webManifest(
  namespace: string,
  name: string,
  { replicas = 1, annotations = {} }: WebOptions = {},
): string {
  return `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}, annotations: ${JSON.stringify(annotations)}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: web
        image: busybox:1.35
        imagePullPolicy: Never
        command: [sh, -c, "mkdir /tmp/w; hostname >/tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /index.html, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: http, appProtocol: http}]}
`;
}

/** A pod with a shell, to call others from. */
export function shellManifest(namespace: string, name: string): string {
  return `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: shell, image: "deb:12", imagePullPolicy: Never, command: [sleep, infinity]}]
`;
}

/** Waits until a pod is ready. */
export async function podReady(cluster: Cluster, namespace: string, name: string): Promise<void> {
  await cluster.kubectl([
    "-n",
    namespace,
    "wait",
    "--for=condition=Ready",
    `pod/${name}`,
    `--timeout=${READY_TIMEOUT_MS / 1000}s`,
  ]);
}

/** Runs a command in a pod's first container. */
export async function inPod(
  cluster: Cluster,
  namespace: string,
  name: string,
  argv: readonly string[],
): Promise<string> {
  return await cluster.kubectl(["-n", namespace, "exec", name, "--", ...argv]);
}

/** Addresses of the pods that a selector selects, once there are `count` of them. */
export async function podAddresses(
  cluster: Cluster,
  namespace: string,
  selector: string,
  count = 1,
): Promise<string[]> {
  return await eventually(async () => {
    const text = await cluster.kubectl([
      ...["-n", namespace, "get", "pods", "-l", selector],
      ...["-o", 'jsonpath={range .items[*]}{.status.podIP}{"\\n"}{end}'],
    ]);
    const found = text.split("\n").filter((line) => line !== "");
    if (found.length < count) throw new Error(`${found.length} of ${count} pods of ${selector} have an address`);
    return found;
  }, READY_TIMEOUT_MS);
}

/** Metrics of a sidecar. This machine reaches pods directly, and the admin port is not captured. */
export async function metricsOf(address: string): Promise<string> {
  const response = await fetch(`http://${address.includes(":") ? `[${address}]` : address}:4191/metrics`);
  return await response.text();
}

/** Sum of the series of a metric whose text holds all the parts. */
export function sumOf(metrics: string, name: string, ...parts: readonly string[]): number {
  return metrics.split("\n")
    .filter((line) => line.startsWith(`${name}{`) && parts.every((part) => line.includes(part)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
