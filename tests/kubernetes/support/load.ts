/** A steady load from inside a pod: the mesh's own binary, run as the runtime that it is built on. */
import { eventually } from "../../support/eventually.ts";
import { type Cluster, IMAGE } from "./cluster.ts";
import { podReady, READY_TIMEOUT_MS } from "./mesh.ts";

export interface LoadReport {
  readonly requests: number;
  readonly failed: number;
  /** Failures by status or error. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

/** Sends requests at evenly spaced times, whatever the answers do, and prints totals once a second. */
const PROGRAM = `
const [url, rate] = [process.env.URL, Number(process.env.RATE)];
let requests = 0, failed = 0, slowestMs = 0, open = 0;
const reasons = {};
async function one() {
  const since = performance.now();
  open++;
  let reason = "";
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(20000) });
    await response.text();
    if (response.status !== 200) reason = String(response.status) + " " + (response.headers.get("tulle-error") ?? "");
  } catch (error) { reason = String(error.code ?? error.name); }
  open--;
  requests++;
  slowestMs = Math.max(slowestMs, performance.now() - since);
  if (reason !== "") { failed++; reasons[reason] = (reasons[reason] ?? 0) + 1; }
}
const start = performance.now();
let sent = 0;
setInterval(() => {
  const due = (performance.now() - start) / 1000 * rate;
  for (; sent < due; sent++) if (open < 200) one();
}, 5);
setInterval(() => console.log(JSON.stringify({ requests, failed, reasons, slowestMs: Math.round(slowestMs) })), 500);
`;

/** Starts a pod that loads a URL. */
export async function startLoad(
  cluster: Cluster,
  namespace: string,
  name: string,
  url: string,
  rate: number,
): Promise<void> {
  await cluster.apply(`---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}, namespace: ${namespace}}
data: {load.js: ${JSON.stringify(PROGRAM)}}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: load
    image: ${IMAGE}
    command: [/usr/local/bin/tulle, /load/load.js]
    env: [{name: BUN_BE_BUN, value: "1"}, {name: URL, value: "${url}"}, {name: RATE, value: "${rate}"}]
    securityContext: {runAsUser: 1000}
    volumeMounts: [{name: load, mountPath: /load}]
  volumes: [{name: load, configMap: {name: ${name}}}]
`);
  await podReady(cluster, namespace, name);
  await atLeast(cluster, namespace, name, 1);
}

/** The newest totals; they are waited for while the API server is away. */
export async function loadReport(cluster: Cluster, namespace: string, name: string): Promise<LoadReport> {
  const logs = ["-n", namespace, "logs", name, "-c", "load", "--tail=1"];
  return await eventually(async () => JSON.parse(await cluster.kubectl(logs)) as LoadReport, READY_TIMEOUT_MS);
}

/** Waits until so many requests more have been answered than by now. */
export async function moreRequests(
  cluster: Cluster,
  namespace: string,
  name: string,
  more: number,
): Promise<LoadReport> {
  const { requests } = await loadReport(cluster, namespace, name);
  return await atLeast(cluster, namespace, name, requests + more);
}

async function atLeast(cluster: Cluster, namespace: string, name: string, requests: number): Promise<LoadReport> {
  return await eventually(async () => {
    const report = await loadReport(cluster, namespace, name);
    if (report.requests < requests) throw new Error(`${report.requests} of ${requests} requests are answered`);
    return report;
  }, READY_TIMEOUT_MS);
}

/** An application that answers with its name, and its Service on port 80. */
export function appManifest(namespace: string, name: string, replicas: number): string {
  const program = `Bun.serve({port: 8080, fetch: () => new Response(process.env.HOSTNAME)});
process.on("SIGTERM", () => process.exit(0));`;
  return `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: app
        image: ${IMAGE}
        command: [/usr/local/bin/tulle, -e, ${JSON.stringify(program)}]
        env: [{name: BUN_BE_BUN, value: "1"}]
        securityContext: {runAsUser: 1000}
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: http, appProtocol: http}]}
`;
}
