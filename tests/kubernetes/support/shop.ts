/** A shop with each sort of workload that Kubernetes has, on two nodes, as its owner would write it: nothing speaks of a mesh. */
import { IMAGE } from "./cluster.ts";

/**
 * Serves HTTP on 8080 and TCP that speaks first on 9001, and gRPC's health on 9002, on all addresses of both families. The
 * answer to a request says what the application saw. One program, so that what differs is how Kubernetes runs it.
 */
const APP = `
Bun.serve({
  port: 8080,
  hostname: "::",
  fetch: async (request) => Response.json({
    pod: process.env.HOSTNAME,
    client: request.headers.get("tulle-client-id"),
    bytes: (await request.bytes()).length,
  }),
});
Bun.listen({ port: 9001, hostname: "::", socket: { open: (socket) => void socket.end("220 " + process.env.HOSTNAME + "\\r\\n"), data() {} } });
require("node:http2").createServer().on("stream", (stream, headers) => {
  stream.on("error", () => {});
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  // HealthCheckResponse: SERVING, or NOT_SERVING to who asks for the service "sick".
  stream.on("end", () => stream.end(Buffer.from([0, 0, 0, 0, 2, 8, Buffer.concat(chunks).includes("sick") ? 2 : 1])));
}).listen(9002, "::");
process.on("SIGTERM", () => process.exit(0));
`;

/** What the program answers. */
export interface Answer {
  readonly pod: string;
  /** SPIFFE ID of the caller as its sidecar has said it, null for callers without one. */
  readonly client: string | null;
  /** Length of the request's body. */
  readonly bytes: number;
}

/** The container of the program, in YAML's flow form. */
function appContainer(more = ""): string {
  return `{name: app, image: "${IMAGE}", command: [/usr/local/bin/tulle, -e, ${JSON.stringify(APP)}], ` +
    `env: [{name: BUN_BE_BUN, value: "1"}], securityContext: {runAsUser: 1000}, ` +
    `ports: [{name: http, containerPort: 8080}, {name: smtp, containerPort: 9001}, {name: grpc, containerPort: 9002}]${more}}`;
}

const READY = `, readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}`;

/** A container that waits, to run commands in. */
function shell(name = "shell", more = ""): string {
  return `{name: ${name}, image: "deb:12", imagePullPolicy: Never, command: [sleep, infinity]${more}}`;
}

/** A call of the shop while it starts. */
const RETRIED = ["curl", "-sSf", "--retry-all-errors", "--retry", "60", "--retry-delay", "1", "http://web/before"];

/** Both families, IPv4 first. */
const DUAL = "ipFamilyPolicy: RequireDualStack\n  ipFamilies: [IPv4, IPv6]";

/** Everything of the shop but its namespace. Clients are on n1, the Deployment is on n2, so that calls pass between nodes. */
export function shopManifest(namespace: string): string {
  return `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: db, namespace: ${namespace}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: ${namespace}}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      serviceAccountName: db
      terminationGracePeriodSeconds: 1
      containers: [${appContainer(READY)}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: ${namespace}}
spec:
  clusterIP: None
  ${DUAL}
  selector: {app: db}
  ports: [{name: http, port: 8080}, {name: smtp, port: 9001}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeName: n2
      terminationGracePeriodSeconds: 1
      containers: [${appContainer(READY)}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ${namespace}}
spec:
  ${DUAL}
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}, {name: smtp, port: 25, targetPort: smtp}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [${appContainer(READY)}]
---
apiVersion: v1
kind: Service
metadata: {name: log, namespace: ${namespace}}
spec: {internalTrafficPolicy: Local, selector: {app: log}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: ${namespace}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      initContainers: [{name: before, image: "deb:12", imagePullPolicy: Never, command: ${JSON.stringify(RETRIED)}}]
      containers: [{name: once, image: "deb:12", imagePullPolicy: Never, command: [curl, -sSf, "http://web/job"]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: often, namespace: ${namespace}}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: often, image: "deb:12", imagePullPolicy: Never, command: [curl, -sSf, "http://web/cron"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: front, namespace: ${namespace}, labels: {app: front}}
spec: {nodeName: n1, terminationGracePeriodSeconds: 1, containers: [${shell()}]}
---
apiVersion: v1
kind: Pod
metadata: {name: lonely, namespace: ${namespace}, labels: {app: lonely}}
spec: {nodeName: n2, terminationGracePeriodSeconds: 1, containers: [${appContainer()}]}
---
apiVersion: v1
kind: Pod
metadata: {name: probed, namespace: ${namespace}, labels: {app: probed}, annotations: {tulle.dev/default-inbound-policy: deny}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - ${appContainer(`, startupProbe: {httpGet: {path: /started, port: http}, periodSeconds: 1}${READY}`)}
  - ${shell("tcp", ", readinessProbe: {tcpSocket: {port: 9001}, periodSeconds: 1}")}
  - ${
    shell(
      "grpc",
      ", readinessProbe: {grpc: {port: 9002}, periodSeconds: 1}, livenessProbe: {grpc: {port: 9002, service: fine}}",
    )
  }
  - ${shell("exec", ", readinessProbe: {exec: {command: [bash, -c, 'true']}, periodSeconds: 1}")}
---
apiVersion: v1
kind: Pod
metadata: {name: sick, namespace: ${namespace}, labels: {app: sick}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - ${appContainer()}
  - ${shell("tcp", ", readinessProbe: {tcpSocket: {port: 9009}, periodSeconds: 1}")}
  - ${shell("grpc", ", readinessProbe: {grpc: {port: 9002, service: sick}, periodSeconds: 1}")}
  - ${shell("http", ", readinessProbe: {httpGet: {port: 9010, path: /}, periodSeconds: 1}")}
`;
}
