/** What `tulle up` needs to know of a folder: which processes to run, and which Services get an address and a name. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { errorText } from "../../../src/base/error.ts";
import { parseFile } from "../../kube/parse_file.ts";
import { formatProblem } from "../../kube/problem.ts";
import type { ExternalWorkload, Resource, Service } from "../../kube/resources.ts";

/** Leave out the sidecar. On the workload or its Namespace; the workload's wins. */
const INJECT = "tulle.dev/inject";
/** "true": go on without the workload when its program is not installed. */
const OPTIONAL = "tulle.dev/optional";

/** One process to run, with its own address; an ExternalWorkload has `replicas` of them. */
export interface Instance {
  /** "shop/catalogue-0": the name the controller knows it by. */
  readonly key: string;
  readonly namespace: string;
  /** "catalogue-0" */
  readonly name: string;
  /** "catalogue" */
  readonly workload: string;
  /** 0-based; $TULLE_REPLICA of the process. */
  readonly index: number;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Has a sidecar. */
  readonly meshed: boolean;
  readonly optional: boolean;
  readonly command: readonly string[];
  /** Absolute. */
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Address that the YAML gives, or null. */
  readonly fixedIp: string | null;
  /** Changes when the process must be restarted to follow the YAML. */
  readonly fingerprint: string;
}

/** A workload that somebody else runs: an address and labels. */
export interface Outside {
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
}

export interface MeshFolder {
  readonly instances: readonly Instance[];
  readonly outside: readonly Outside[];
  readonly services: readonly Service[];
  /** One line each, ready to print. A file with an error counts as absent. */
  readonly problems: readonly string[];
}

interface PlacedResource {
  readonly resource: Resource;
  /** Folder of its file. */
  readonly directory: string;
}

/** Reads folders again and again; of a file that has become wrong, the last good content stays in force. */
export class MeshFolderReader {
  readonly #folders: readonly string[];
  #good = new Map<string, readonly PlacedResource[]>();
  #stamp = "";

  /** @param folders as written on the command line */
  constructor(folders: readonly string[]) {
    this.#folders = folders.map((folder) => resolve(folder));
  }

  /** Whether a file was added, changed or removed since the last `read`. */
  changed(): boolean {
    return this.#stampOf(this.#folders.flatMap((folder) => listFiles(folder, []))) !== this.#stamp;
  }

  /** Reads all YAML and JSON files of the folders (not of folders within). Never throws: what cannot be read is a problem. */
  read(): MeshFolder {
    const problems: string[] = [];
    const files = this.#folders.flatMap((folder) => listFiles(folder, problems));
    this.#stamp = this.#stampOf(files);
    const good = new Map<string, readonly PlacedResource[]>();
    for (const file of files) {
      const placed = readFile(file, problems) ?? this.#good.get(file);
      if (placed !== undefined) good.set(file, placed);
    }
    this.#good = good;
    return assemble([...good.values()].flat(), problems);
  }

  #stampOf(files: readonly string[]): string {
    return files.map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return `${file} ${stat?.mtimeMs} ${stat?.size}`;
    }).join("\n");
  }
}

/** @returns null when the file has an error */
function readFile(file: string, problems: string[]): PlacedResource[] | null {
  try {
    const parsed = parseFile(file, readFileSync(file, "utf8"));
    problems.push(...parsed.errors.map(formatProblem));
    if (parsed.errors.length > 0) return null;
    return parsed.resources.map(({ resource }) => ({ resource, directory: dirname(file) }));
  } catch (error) {
    problems.push(`${file}: cannot be read: ${errorText(error)}`);
    return null;
  }
}

function assemble(placed: readonly PlacedResource[], problems: readonly string[]): MeshFolder {
  const inject = new Map<string, string>();
  for (const { resource } of placed) {
    const value = resource.meta.annotations[INJECT];
    if (resource.kind === "Namespace" && value !== undefined) inject.set(resource.meta.name, value);
  }
  const instances: Instance[] = [];
  const outside: Outside[] = [];
  for (const { resource, directory } of placed) {
    if (resource.kind !== "ExternalWorkload") continue;
    instances.push(...expand(resource, directory, inject.get(resource.meta.namespace)));
    outside.push(...outsideOf(resource));
  }
  const services = placed.map((each) => each.resource).filter((resource) => resource.kind === "Service");
  return { instances, outside, services, problems };
}

/** The instances of a workload: none when it has no `run`. */
function expand(workload: ExternalWorkload, directory: string, namespaceInject: string | undefined): Instance[] {
  const { run, meta } = workload;
  if (run === null) return [];
  const workingDir = run.workingDir === null ? directory : absolute(run.workingDir, directory);
  const env = Object.fromEntries(run.env.map(({ name, value }) => [name, value]));
  const meshed = (meta.annotations[INJECT] ?? namespaceInject ?? "enabled") !== "disabled";
  return Array.from({ length: run.replicas }, (_, index) => {
    const fixedIp = workload.workloadIPs[index] ?? null;
    const identity = [workload.serviceAccountName, meshed, run.command, workingDir, env, fixedIp];
    return {
      key: `${meta.namespace}/${meta.name}-${index}`,
      namespace: meta.namespace,
      name: `${meta.name}-${index}`,
      workload: meta.name,
      index,
      serviceAccount: workload.serviceAccountName,
      labels: meta.labels,
      meshed,
      optional: meta.annotations[OPTIONAL] === "true",
      command: run.command,
      workingDir,
      env,
      fixedIp,
      fingerprint: JSON.stringify(identity),
    };
  });
}

function outsideOf(workload: ExternalWorkload): Outside[] {
  if (workload.run !== null) return [];
  const { namespace, name, labels } = workload.meta;
  return [{ key: `${namespace}/${name}-0`, namespace, labels, ips: workload.workloadIPs }];
}

function listFiles(folder: string, problems: string[]): string[] {
  try {
    if (!statSync(folder).isDirectory()) {
      problems.push(`${folder}: found a file, want a folder of YAML files`);
      return [];
    }
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && /^[^.].*\.(ya?ml|json)$/.test(entry.name))
      .map((entry) => join(folder, entry.name))
      .sort();
  } catch (error) {
    problems.push(`${folder}: cannot be read: ${errorText(error)}`);
    return [];
  }
}

function absolute(path: string, base: string): string {
  return isAbsolute(path) ? path : resolve(base, path);
}
