/**
 * A real API server on etcd, without nodes: what a controller sees of a cluster. Objects stay as they are written, since nothing
 * but the test acts on them. The programs are those of the Kubernetes test bed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeClient } from "../../controller/api/client.ts";
import { kubeconfigTarget } from "../../controller/api/kube_target.ts";
import { TYPES } from "../../controller/api/resource_type.ts";
import { MESH_NAMESPACE } from "../../controller/core/cluster_names.ts";
import { customResourceDefinitions } from "../../controller/manifests/crds.ts";
import { TEST_BED } from "../kubernetes/support/test_bed.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./ports.ts";
import { type Child, startProcess } from "./process.ts";

/** An API server starts in 4 s on a quiet machine; unpacking its programs for the first time takes as long. */
const START_TIMEOUT_MS = 120_000;

export class KubeApi implements AsyncDisposable {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly client: KubeClient;
  readonly #programs: string;
  readonly #ports: { readonly api: number; readonly etcd: number; readonly peer: number };
  #etcd: Child | null = null;
  #server: Child | null = null;

  private constructor(folder: string, programs: string, ports: { api: number; etcd: number; peer: number }) {
    this.folder = folder;
    this.#programs = programs;
    this.#ports = ports;
    this.kubeconfig = join(folder, "pki/admin.kubeconfig");
    this.client = new KubeClient(kubeconfigTarget({ file: this.kubeconfig, context: null }, {}));
  }

  /** Starts both with the namespace of the mesh. @throws Error with their words */
  static async start(): Promise<KubeApi> {
    if (TEST_BED === null) throw new Error("there is no test bed: skip the test");
    const programs = await output(["bash", "-c", `. '${TEST_BED}/lib.sh'; find_home; unpack bin; echo "$D/bin"`]);
    const folder = mkdtempSync(join(tmpdir(), "tulle-api-"));
    const [api = 0, etcd = 0, peer = 0] = await freePorts(3);
    const url = `https://127.0.0.1:${api}`;
    await output([join(programs, "hyperkube"), "pki", join(folder, "pki"), url, "127.0.0.1", "n1=127.0.0.1"]);
    const started = new KubeApi(folder, programs, { api, etcd, peer });
    try {
      started.#startEtcd();
      await started.startServer();
      await started.client.create(TYPES.Namespace, null, { metadata: { name: MESH_NAMESPACE } });
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** Where it listens. */
  get port(): number {
    return this.#ports.api;
  }

  /** The store behind it, for faults: SIGSTOP makes it slow. */
  get etcd(): Child {
    if (this.#etcd === null) throw new Error("etcd has ended");
    return this.#etcd;
  }

  /** Starts the API server on the port it had, and waits until it is ready. */
  async startServer(): Promise<void> {
    const pki = join(this.folder, "pki");
    const { api, etcd } = this.#ports;
    const server = startProcess({
      name: "kube-apiserver",
      argv: [
        join(this.#programs, "kube-apiserver"),
        `--etcd-servers=http://127.0.0.1:${etcd}`,
        ...["--bind-address=127.0.0.1", `--secure-port=${api}`, "--advertise-address=127.0.0.1"],
        ...[`--tls-cert-file=${pki}/apiserver.crt`, `--tls-private-key-file=${pki}/apiserver.key`],
        `--client-ca-file=${pki}/ca.crt`,
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        ...[`--service-account-key-file=${pki}/sa.pub`, `--service-account-signing-key-file=${pki}/sa.key`],
        "--service-cluster-ip-range=10.96.0.0/12",
        "--authorization-mode=AlwaysAllow",
        // Nobody makes the default accounts that it wants.
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
      ],
    });
    this.#server = server;
    await eventually(async () => {
      const gone = server.gone();
      if (gone !== null) throw new Error(gone);
      await this.client.text("/readyz");
    }, START_TIMEOUT_MS);
  }

  /** Ends the API server at once, as a crash does. */
  async killServer(): Promise<void> {
    this.#server?.signal("SIGKILL");
    await this.#server?.exited;
    this.#server = null;
  }

  /** Defines our own kinds, and waits until they are served. */
  async defineKinds(): Promise<void> {
    for (const definition of customResourceDefinitions({ version: "test" })) {
      await this.client.create(TYPES.CustomResourceDefinition, null, definition);
    }
    await eventually(() => this.client.list(TYPES.ExternalWorkload, null), START_TIMEOUT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killServer();
    this.#etcd?.signal("SIGCONT");
    await this.#etcd?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #startEtcd(): void {
    const { etcd, peer } = this.#ports;
    const url = (port: number) => `http://127.0.0.1:${port}`;
    this.#etcd = startProcess({
      name: "etcd",
      argv: [
        join(this.#programs, "etcd"),
        ...["--name=test", `--data-dir=${join(this.folder, "etcd")}`, "--unsafe-no-fsync", "--log-level=warn"],
        ...[`--listen-client-urls=${url(etcd)}`, `--advertise-client-urls=${url(etcd)}`],
        ...[`--listen-peer-urls=${url(peer)}`, `--initial-advertise-peer-urls=${url(peer)}`],
        `--initial-cluster=test=${url(peer)}`,
      ],
    });
  }
}

async function output(argv: readonly string[]): Promise<string> {
  const child = startProcess({ argv });
  const code = await child.exited;
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${child.output().slice(-600)}`);
  return child.stdout().trim();
}
