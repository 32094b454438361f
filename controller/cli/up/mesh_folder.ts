/** What `tulle up` needs to know of a folder: which processes to run, and which Services get an address and a name. */
import { statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { errorText } from "../../../src/base/error.ts";
import { FolderState } from "../../kube/folder_state.ts";
import { declaredAddresses, instanceName } from "../../kube/instances.ts";
import { formatProblem } from "../../kube/problem.ts";
import { listFiles, readConfigFile } from "../../kube/read_folder.ts";
import { readSkips, type Skips } from "../../core/skips.ts";
import { type DnsSettings, readDns } from "./egress_dns.ts";
import { readWorkers } from "./workers.ts";
import { type ExternalWorkload, keyOf, type Meta, type Resource, type Service } from "../../kube/resources.ts";

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
  /** TCP ports that it says it listens on. */
  readonly ports: readonly number[];
  /** What is not captured. */
  readonly skips: Skips;
  readonly dns: DnsSettings;
  /** Threads of its sidecar. */
  readonly workers: number;
  readonly command: readonly string[];
  /** Absolute. */
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Addresses that the YAML gives; empty when it leaves them open. */
  readonly fixedIps: readonly string[];
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
  /** Files of which nothing is in force: they never could be read. */
  readonly refused: readonly string[];
}

/** Reads folders again and again; of a file that has become wrong, the last good content stays in force. */
export class MeshFolderReader {
  readonly #folders: readonly string[];
  readonly #state = new FolderState();
  /** Folder of the file that an object stands in. */
  readonly #directories = new WeakMap<Resource, string>();
  #stamp = "";

  /** @param folders as written on the command line */
  constructor(folders: readonly string[]) {
    this.#folders = folders.map((folder) => resolve(folder));
  }

  /** Whether a file was added, changed or removed since the last `read`. */
  changed(): boolean {
    return stampOf(this.#list([])) !== this.#stamp;
  }

  /** Reads all files anew. Never throws: what cannot be read is a problem. */
  read(): MeshFolder {
    const problems: string[] = [];
    const files = this.#list(problems);
    this.#stamp = stampOf(files);
    for (const gone of [...this.#state.files()].filter((file) => !files.includes(file))) this.#state.remove(gone);
    for (const file of files) {
      const parsed = readConfigFile(file);
      for (const { resource } of parsed.resources) this.#directories.set(resource, dirname(file));
      this.#state.set(parsed);
    }
    this.#state.settle();
    for (const { errors } of this.#state.status()) problems.push(...errors.map(formatProblem));
    return this.#assemble(problems);
  }

  #list(problems: string[]): string[] {
    return this.#folders.flatMap((folder) => {
      try {
        return listFiles(folder);
      } catch (error) {
        problems.push(errorText(error));
        return [];
      }
    });
  }

  #assemble(problems: string[]): MeshFolder {
    const resources = this.#state.resources;
    const inherited = new Map<string, Meta["annotations"]>();
    for (const { kind, meta } of resources) if (kind === "Namespace") inherited.set(meta.name, meta.annotations);
    const workloads = resources.filter((resource) => resource.kind === "ExternalWorkload");
    return {
      instances: workloads.flatMap((workload) =>
        expand(workload, this.#directories.get(workload) ?? "/", inherited.get(workload.meta.namespace) ?? {}, problems)
      ),
      outside: workloads.flatMap(outsideOf),
      services: resources.filter((resource) => resource.kind === "Service"),
      problems,
      refused: this.#state.status().filter(({ state }) => state === "refused").map(({ file }) => file),
    };
  }
}

/** Changes when a file does. */
function stampOf(files: readonly string[]): string {
  return files.map((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return `${file} ${stat?.mtimeMs} ${stat?.size}`;
  }).join("\n");
}

/** The instances of a workload: none when it has no `run`. */
function expand(
  workload: ExternalWorkload,
  directory: string,
  ofNamespace: Meta["annotations"],
  problems: string[],
): Instance[] {
  const { run, meta } = workload;
  if (run === null) return [];
  const workingDir = run.workingDir === null ? directory : absolute(run.workingDir, directory);
  const env = Object.fromEntries(run.env.map(({ name, value }) => [name, value]));
  const annotations = { ...ofNamespace, ...meta.annotations };
  const meshed = (annotations[INJECT] ?? "enabled") !== "disabled";
  const skips = readSkips(annotations, keyOf(workload), problems);
  const dns = readDns(annotations, keyOf(workload), problems);
  const workers = readWorkers(annotations, keyOf(workload), problems);
  const optional = readOptional(meta.annotations, keyOf(workload), problems);
  return Array.from({ length: run.replicas }, (_, index) => {
    const fixedIps = declaredAddresses(workload, index);
    const name = instanceName(workload, index);
    const identity = [workload.serviceAccountName, meshed, run.command, workingDir, env, fixedIps, skips, workers, dns];
    return {
      key: `${meta.namespace}/${name}`,
      namespace: meta.namespace,
      name,
      workload: meta.name,
      index,
      serviceAccount: workload.serviceAccountName,
      labels: meta.labels,
      meshed,
      ports: workload.ports.filter((port) => port.protocol === "TCP").map((port) => port.port),
      skips,
      dns,
      workers,
      optional,
      command: run.command,
      workingDir,
      env,
      fixedIps,
      fingerprint: JSON.stringify(identity),
    };
  });
}

/** Of the workload itself: a namespace's word would make all of it optional. */
function readOptional(annotations: Meta["annotations"], where: string, problems: string[]): boolean {
  const text = annotations[OPTIONAL];
  if (text !== undefined && text !== "true" && text !== "false") {
    problems.push(`${where}: metadata.annotations["${OPTIONAL}"]: found ${JSON.stringify(text)}, want true or false`);
  }
  return text === "true";
}

function outsideOf(workload: ExternalWorkload): Outside[] {
  if (workload.run !== null) return [];
  const { namespace, labels } = workload.meta;
  return [{ key: `${namespace}/${instanceName(workload, 0)}`, namespace, labels, ips: workload.workloadIPs }];
}

function absolute(path: string, base: string): string {
  return isAbsolute(path) ? path : resolve(base, path);
}
