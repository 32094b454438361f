/** The objects that commands about policy look at: of manifests, of the mesh that runs on this machine, or of a cluster. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../../src/base/error.ts";
import { ApiError } from "../../api/api_error.ts";
import { TYPES, typeVersions } from "../../api/resource_type.ts";
import type { KubeClient } from "../../api/client.ts";
import { CONTROLLER, MESH_NAMESPACE, SIDECAR_CONTAINER } from "../../core/cluster_names.ts";
import type { IndexOptions } from "../../index/world.ts";
import { templateOf } from "../../inject/workload.ts";
import { type Addresses, parseAddresses } from "../../kube/addresses.ts";
import { FOLLOWED } from "../../kube/cluster_source.ts";
import { decodeResource } from "../../kube/decode.ts";
import { declaredAddresses, instanceName, replicasOf } from "../../kube/instances.ts";
import { parseFile } from "../../kube/parse_file.ts";
import { parseObjects, type PlainObject } from "../../kube/parse_objects.ts";
import { formatProblem, type Problem } from "../../kube/problem.ts";
import { listFiles } from "../../kube/read_folder.ts";
import { keyOf, type Kind, type Pod, type Resource } from "../../kube/resources.ts";
import { type ControllerOptions, indexOptions, parseOptions } from "../controller_options.ts";
import type { KnownMesh } from "../find_mesh.ts";
import { standInSlices } from "./stand_in_slices.ts";

/** Addresses for workloads of manifests, which have none yet: the networks for benchmarks (RFC 2544), used nowhere else. */
const STAND_IN = "198.18";
const STDIN = 0;
/** As the decoders have it. */
const STANDARD_NAMESPACE = "default";

export interface MeshState {
  readonly resources: readonly Resource[];
  readonly addresses: Addresses;
  readonly options: IndexOptions;
  /** "manifests", "the mesh on this machine", "the cluster". */
  readonly where: string;
  /** Of names for which no other is said. */
  readonly namespace: string;
  /** Files of the objects, by key; empty for a cluster. */
  readonly places: ReadonlyMap<string, string>;
}

/**
 * Reads manifests: ours as they are, workloads of Kubernetes as one pod each.
 * @param namespace of objects that do not say theirs
 * @throws UsageError with every problem of theirs
 */
export function stateOfManifests(names: readonly string[], namespace = STANDARD_NAMESPACE): MeshState {
  const { resources: read, places } = readManifests(names, namespace);
  const resources = [...read, ...standInSlices(read)];
  return {
    resources,
    places,
    addresses: standIns(resources),
    options: standardOptions(),
    where: "manifests",
    namespace,
  };
}

/** Objects of manifests as they are read, and where they stand. */
interface Manifests {
  readonly resources: Resource[];
  readonly places: Map<string, string>;
  /** Keys of all objects that stand there, also of kinds that are not read: "Deployment shop/web". */
  readonly found: string[];
}

/**
 * Objects of manifests, and where they stand.
 * @param namespace of those that do not say theirs, as for `kubectl apply -n`
 * @throws UsageError with every problem of theirs
 */
export function readManifests(
  names: readonly string[],
  namespace = STANDARD_NAMESPACE,
): Manifests {
  const found: string[] = [];
  const resources = new Map<string, Resource>();
  const places = new Map<string, string>();
  const problems: Problem[] = [];
  let pods = 0;
  for (const name of names) {
    for (const file of name === "-" || !isFolder(name) ? [name] : listFiles(name)) {
      const text = readText(file);
      const shown = file === "-" ? "standard input" : file;
      const parsed = parseFile(shown, text);
      problems.push(...parsed.errors);
      if (parsed.errors.length > 0) continue;
      const { objects } = parseObjects(shown, text);
      const homeless = new Set(objects.filter(hasNoNamespace).map(standardKey));
      for (const { resource: read, line } of parsed.resources) {
        const resource = homeless.has(keyOf(read)) ? moved(read, namespace) : read;
        resources.set(keyOf(resource), resource);
        places.set(keyOf(resource), `${shown}:${line}`);
      }
      for (const object of objects) {
        const { name = "", namespace: own = namespace } = metadataOf(object);
        found.push(`${object.value["kind"]} ${own}/${name}`);
        const pod = podOf(object, namespace, `${STAND_IN}.${pods >> 8 & 255}.${pods & 255}`);
        if (pod === null) continue;
        pods++;
        resources.set(keyOf(pod), pod);
        places.set(keyOf(pod), `${shown}:${object.line}`);
      }
    }
  }
  if (problems.length > 0) throw new UsageError(problems.map(formatProblem).join("\n"));
  return { resources: [...resources.values()], places, found };
}

function metadataOf({ value }: PlainObject): { name?: string; namespace?: string } {
  return (value["metadata"] ?? {}) as { name?: string; namespace?: string }; // decodeResource checks it
}

function hasNoNamespace(object: PlainObject): boolean {
  return metadataOf(object).namespace === undefined;
}

/** Where the decoder has put an object without a namespace; of kinds that live outside of namespaces, nowhere. */
function standardKey(object: PlainObject): string {
  return `${object.value["kind"]} ${STANDARD_NAMESPACE}/${metadataOf(object).name}`;
}

function moved<R extends Resource>(resource: R, namespace: string): R {
  return { ...resource, meta: { ...resource.meta, namespace } };
}

/** The one pod that stands for a workload's; null for objects that make none. */
function podOf(object: PlainObject, standard: string, ip: string): Pod | null {
  const { value } = object;
  const template = value["kind"] === "Pod" ? null : templateOf(value);
  if (template === null) return null;
  const { name, namespace = standard } = metadataOf(object);
  const pod = template.pod as { metadata?: Record<string, unknown>; spec?: Record<string, unknown> };
  const annotations = (pod.metadata?.["annotations"] ?? {}) as Record<string, string>;
  const sidecar = annotations["tulle.dev/inject"] === "disabled" ? [] : [{ name: SIDECAR_CONTAINER }];
  const initContainers = [...sidecar, ...(pod.spec?.["initContainers"] as unknown[] | undefined ?? [])];
  const { resource } = decodeResource({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...pod.metadata,
      name,
      namespace,
      ownerReferences: [{ controller: true, kind: value["kind"], name }],
    },
    spec: { ...pod.spec, initContainers },
    status: { phase: "Running", podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] },
  });
  return resource?.kind === "Pod" ? resource : null;
}

/** Addresses for ExternalWorkloads that leave theirs open. */
function standIns(resources: readonly Resource[]): Addresses {
  const workloads = new Map<string, readonly string[]>();
  let count = 0;
  for (const resource of resources) {
    if (resource.kind !== "ExternalWorkload") continue;
    for (let i = 0; i < replicasOf(resource); i++) {
      if (declaredAddresses(resource, i).length > 0) continue;
      const ip = `198.19.${count >> 8 & 255}.${count & 255}`;
      count++;
      workloads.set(`${resource.meta.namespace}/${instanceName(resource, i)}`, [ip]);
    }
  }
  return { workloads, services: new Map() };
}

/** The mesh of `tulle up`: its folders, and the addresses that it gave. */
export function stateOfMesh({ stateFolder, folders, trustDomain }: KnownMesh): MeshState {
  const { resources, places } = readManifests(folders);
  const file = join(stateFolder, "addresses.json");
  const addresses = parseAddresses(file, readFileSync(file, "utf8"));
  if (!("workloads" in addresses)) throw new Error(addresses.join("\n"));
  return {
    resources,
    places,
    addresses,
    options: { ...standardOptions(), trustDomain },
    where: "the mesh on this machine",
    namespace: STANDARD_NAMESPACE,
  };
}

/**
 * All that a controller reads of a cluster.
 * @throws ApiError, also for a kind that the user may not list: without policies the answer would be a wrong one
 */
export async function stateOfCluster(client: KubeClient): Promise<MeshState> {
  const lists = await Promise.all(FOLLOWED.map(async ({ kind, optional }) => {
    for (const type of typeVersions(TYPES[kind])) {
      try {
        return await client.list(type, null);
      } catch (error) {
        if (!optional || !(error instanceof ApiError) || !error.isNotFound) throw error;
      }
    }
    return []; // as for the controller: there are none of a kind that the cluster does not know
  }));
  const resources = lists.flat().flatMap((object) => {
    const { resource, rest } = decodeResource(object);
    return resource ?? rest ?? [];
  });
  const addresses: Addresses = { workloads: new Map(), services: new Map() };
  const options = await optionsOfCluster(client);
  return { resources, addresses, options, where: "the cluster", namespace: client.target.namespace, places: new Map() };
}

/** What the controller there was started with. */
async function optionsOfCluster(client: KubeClient): Promise<IndexOptions> {
  const deployment = await client.find(TYPES.Deployment, MESH_NAMESPACE, CONTROLLER);
  const spec = deployment?.["spec"] as { template?: { spec?: { containers?: { args?: string[] }[] } } } | undefined; // API's schema
  const args = spec?.template?.spec?.containers?.[0]?.args ?? [];
  const parsed = args.length === 0 ? null : parseOptions(args[0] === "controller" ? args.slice(1) : args);
  return parsed === null ? { ...standardOptions(), injectByDefault: false } : indexOptions(parsed);
}

/** Kinds that a change of policy is made of. */
export const POLICY_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  "Namespace",
  "HTTPRoute",
  "GRPCRoute",
  "Server",
  "AuthorizationPolicy",
  "MeshTLSAuthentication",
  "NetworkAuthentication",
]);

function standardOptions(): IndexOptions {
  const options = parseOptions(["--config-dir", ".", "--state-dir", "."]) as ControllerOptions; // a line that is right
  return indexOptions(options);
}

function isFolder(name: string): boolean {
  if (!existsSync(name)) throw new UsageError(`${name} does not exist`);
  return statSync(name).isDirectory();
}

function readText(name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(name === "-" ? STDIN : name));
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${name} is not text in UTF-8`);
    throw new UsageError(`${name} cannot be read: may you read it?`);
  }
}
