/** Programs that know nothing of a mesh, in an image of this machine's own files: clients, and stores with their own protocols. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "../../support/process.ts";
import type { Cluster } from "./cluster.ts";

export const CLIENTS_IMAGE = "clients:1";
const PROGRAMS = ["wget", "node", "python3.11", "redis-server", "redis-cli", "mariadbd", "mariadb"];
/** Files that programs want beside their libraries. */
const FOLDERS = ["/usr/lib/python3.11", "/usr/share/mysql/english"];
const LIBRARIES = "/usr/lib/x86_64-linux-gnu";

/** Debian's own: others of the same name may be wrappers that want a whole installation. */
function find(name: string): string | null {
  return Bun.which(name, { PATH: "/usr/bin:/usr/sbin" });
}

/** Programs that this machine lacks; then the image cannot be made. */
export function missingPrograms(): readonly string[] {
  return [...PROGRAMS, "mariadb-install-db"].filter((name) => find(name) === null);
}

/** Makes the image and puts it onto a node. MariaDB's data is in it, empty. */
export async function loadClients(cluster: Cluster, node: string): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "tulle-mariadb-"));
  try {
    const installer = find("mariadb-install-db") ?? "";
    const how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"];
    const argv = [installer, "--no-defaults", `--datadir=${data}`, "--innodb-log-file-size=4M", ...how];
    const made = await run({ argv, timeoutMs: 60_000 });
    if (made.code !== 0) throw new Error(`mariadb-install-db: ${made.stderr}${made.stdout}`);
    const programs = PROGRAMS.map((name) => realpathSync(find(name) ?? ""));
    const { stdout } = await run({ argv: ["ldd", ...programs] });
    const libraries = new Set([...stdout.matchAll(/=> (\/\S+)/g)].map(([, path = ""]) => path));
    await cluster.makeImage([CLIENTS_IMAGE], [
      ...programs.map((path, i) => `${path}=/usr/bin/${PROGRAMS[i]}`),
      ...[...libraries].map((path) => `${realpathSync(path)}=${LIBRARIES}/${basename(path)}`),
      ...FOLDERS.map((folder) => `${folder}=${folder}`),
      `${data}=/data/mariadb`,
    ], node);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** A pod with the programs, and a pod with the stores behind Services. */
export function clientsManifest(namespace: string, node: string): string {
  const container = (name: string, command: readonly string[], more = "") =>
    `{name: ${name}, image: "${CLIENTS_IMAGE}", imagePullPolicy: Never, command: ${JSON.stringify(command)}${more}}`;
  const ready = (port: number) => `, readinessProbe: {tcpSocket: {port: ${port}}, periodSeconds: 1}`;
  const redis = ["redis-server", "--bind", "* -::*", "--protected-mode", "no", "--save", ""];
  const mariadb = [
    ...["mariadbd", "--no-defaults", "--user=root", "--datadir=/data/mariadb", "--socket=/tmp/socket"],
    ...["--skip-grant-tables", "--skip-networking=0", "--skip-name-resolve", "--bind-address=*"],
    ...["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=4M"],
  ];
  return `---
apiVersion: v1
kind: Pod
metadata: {name: clients, namespace: ${namespace}, labels: {app: clients}}
spec: {nodeName: ${node}, terminationGracePeriodSeconds: 1, containers: [${container("shell", ["sleep", "infinity"])}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stores, namespace: ${namespace}, labels: {app: stores}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
  - ${container("redis", redis, ready(6379))}
  - ${container("mariadb", mariadb, ready(3306))}
---
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: ${namespace}}
spec: {selector: {app: stores}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Service
metadata: {name: mariadb, namespace: ${namespace}}
spec: {selector: {app: stores}, ports: [{port: 3306}]}
`;
}
