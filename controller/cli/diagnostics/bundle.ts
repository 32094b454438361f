/** One file with what somebody needs who is to find out why a mesh does not do what it should. Never a Secret. */
import { errorText } from "../../../src/base/error.ts";
import { VERSION } from "../../../src/base/version.ts";
import { ApiError } from "../../api/api_error.ts";
import type { KubeClient, KubeObject } from "../../api/client.ts";
import { resourcePath, type ResourceType, TYPES } from "../../api/resource_type.ts";
import { MESH_NAMESPACE, SIDECAR_CONTAINER } from "../../core/cluster_names.ts";
import { findPods, type MeshedPod, readSidecarMetrics, type ScopeOptions } from "../cluster_targets.ts";
import { allFindings } from "../check/check.ts";
import { renderFindings } from "../check/finding.ts";
import { readControllerConfig } from "./controller_config.ts";
import { sidecarConfig } from "./sidecars.ts";

/** Sidecars whose state is taken, at most; which were left out is said. */
const MAX_SIDECARS = 100;
/** Parts that are asked at once. */
const BATCH = 8;
/** Lines of each log, from its end. */
const LOG_LINES = "2000";

/** Kinds that are listed, of all namespaces. Pods, Services and slices are of the meshed namespaces alone. */
const MESH_KINDS: readonly ResourceType[] = [
  TYPES.HTTPRoute,
  TYPES.GRPCRoute,
  TYPES.Server,
  TYPES.AuthorizationPolicy,
  TYPES.MeshTLSAuthentication,
  TYPES.NetworkAuthentication,
  TYPES.ExternalWorkload,
  TYPES.MutatingWebhookConfiguration,
  TYPES.ValidatingWebhookConfiguration,
];
const NAMESPACE_KINDS: readonly ResourceType[] = [TYPES.Pod, TYPES.Service, TYPES.EndpointSlice, TYPES.Event];

export interface BundleOptions extends ScopeOptions {
  readonly file?: string;
}

/** Gathers with what rights there are; what could not be had is in errors.txt. */
export async function writeBundle(client: KubeClient, options: BundleOptions): Promise<void> {
  const gatherer = new Gatherer(client);
  const { pods } = await findPods(client, options.namespace ?? null, []);
  const taken = pods.slice(0, MAX_SIDECARS);
  gatherer.files["version.txt"] = `tulle ${VERSION}\n`;
  await gatherer.all([
    ["check.txt", async () => renderFindings(await allFindings(client, options.namespace ?? null))],
    ["controller/config.json", () => readControllerConfig(client)],
    ...MESH_KINDS.map((type) => gatherer.objects(type, null)),
    ...[MESH_NAMESPACE, ...new Set(taken.map(({ namespace }) => namespace))].flatMap((namespace) =>
      NAMESPACE_KINDS.map((type) => gatherer.objects(type, namespace))
    ),
    ...await gatherer.meshLogs(),
    ...taken.flatMap((pod) => gatherer.sidecar(pod, options)),
  ]);
  if (taken.length < pods.length) {
    gatherer.errors.push(`${pods.length - taken.length} sidecars were left out: choose a namespace with -n`);
  }
  if (gatherer.errors.length > 0) gatherer.files["errors.txt"] = `${gatherer.errors.join("\n")}\n`;
  const file = options.file ?? `tulle-diagnostics-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.tar.gz`;
  await Bun.Archive.write(file, gatherer.files, { compress: "gzip" });
  const missing = gatherer.errors.length === 0 ? "" : `; ${gatherer.errors.length} things are missing: see errors.txt`;
  process.stdout.write(`${file}: ${Object.keys(gatherer.files).length} files of ${taken.length} sidecars${missing}\n`);
  process.stderr.write("It names your workloads and their traffic, and holds no Secret: read it before you send it.\n");
}

/** A file of the bundle and how to get it. */
type Part = readonly [name: string, read: () => Promise<string>];

class Gatherer {
  readonly files: Record<string, string> = {};
  readonly errors: string[] = [];
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async all(parts: readonly Part[]): Promise<void> {
    for (let at = 0; at < parts.length; at += BATCH) {
      await Promise.all(
        parts.slice(at, at + BATCH).map(async ([name, read]) => {
          try {
            this.files[name] = await read();
          } catch (error) {
            this.errors.push(`${name}: ${errorText(error)}`);
          }
        }),
      );
      if (process.stderr.isTTY) {
        process.stderr.write(`\r\x1b[K  ${Math.min(at + BATCH, parts.length)} of ${parts.length}`);
      }
    }
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  objects(type: ResourceType, namespace: string | null): Part {
    const folder = namespace === null ? "objects" : `namespaces/${namespace}`;
    return [`${folder}/${type.plural}.json`, async () => {
      const items = (await this.#list(type, namespace)).map(withoutNoise);
      return `${JSON.stringify({ items }, null, 2)}\n`;
    }];
  }

  /** A kind that the cluster does not know, such as the Gateway API's, has no objects. */
  async #list(type: ResourceType, namespace: string | null): Promise<readonly KubeObject[]> {
    try {
      return await this.#client.list(type, namespace);
    } catch (error) {
      if (error instanceof ApiError && error.isNotFound) return [];
      throw error;
    }
  }

  /** Logs of the control plane and the agents, those before a restart included. */
  async meshLogs(): Promise<Part[]> {
    const pods = await this.#client.list(TYPES.Pod, MESH_NAMESPACE).catch(() => []);
    return pods.flatMap(({ metadata: { name = "" }, ...pod }) => {
      const { containerStatuses = [] } = (pod["status"] ?? {}) as {
        containerStatuses?: readonly { name?: string; restartCount?: number }[];
      };
      return containerStatuses.flatMap(({ name: container = "", restartCount = 0 }): Part[] => {
        const log = (file: string, previous: boolean): Part => [
          `logs/${MESH_NAMESPACE}/${name}/${file}`,
          () => this.#log(MESH_NAMESPACE, name, container, previous),
        ];
        return [log(`${container}.log`, false), ...(restartCount > 0 ? [log(`${container}-previous.log`, true)] : [])];
      });
    });
  }

  sidecar(pod: MeshedPod, options: ScopeOptions): Part[] {
    const folder = `sidecars/${pod.namespace}/${pod.name}`;
    return [
      [`${folder}/metrics.txt`, () => readSidecarMetrics(this.#client, pod)],
      [`${folder}/config.json`, () => sidecarConfig(options, pod)],
      [`${folder}/${SIDECAR_CONTAINER}.log`, () => this.#log(pod.namespace, pod.name, SIDECAR_CONTAINER, false)],
    ];
  }

  #log(namespace: string, pod: string, container: string, previous: boolean): Promise<string> {
    const query = { container, tailLines: LOG_LINES, timestamps: "true", ...(previous ? { previous: "true" } : {}) };
    return this.#client.text(resourcePath(TYPES.Pod, namespace, pod, "log"), query);
  }
}

/** Without what only the API server's bookkeeping needs, and without the values of an application's environment. */
function withoutNoise(object: KubeObject): unknown {
  return JSON.parse(JSON.stringify(object, (key, value: unknown) => {
    if (key === "managedFields" || key === "kubectl.kubernetes.io/last-applied-configuration") return undefined;
    if (key === "env" && Array.isArray(value)) {
      return value.map((entry: { name?: string; value?: string; valueFrom?: unknown }) => {
        return { ...entry, ...(entry.value === undefined ? {} : { value: "(left out)" }) };
      });
    }
    return value;
  }));
}
