/** Finds the meshes that `tulle up` runs on this machine, by the file that each keeps in its state folder. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfCommand } from "./up/plan.ts";

/** Start of the names of state folders. */
const PREFIX = "tulle-up-";
/** Says what runs, and where. */
const FILE = "mesh.json";
/** Set for the copy of a command that runs inside a mesh's namespaces, so that it does not enter them again. */
const INSIDE = "TULLE_INSIDE";

/** An instance with a sidecar. */
export interface KnownProxy {
  /** "shop/front-0" */
  readonly key: string;
  /** "shop/front" */
  readonly workload: string;
  /** "http://10.77.0.12:4191" */
  readonly admin: string;
  readonly address: string;
}

export interface KnownMesh {
  readonly stateFolder: string;
  /** Process that holds the namespaces. */
  readonly pid: number;
  /** False: it runs in a user namespace, and its addresses are reachable from inside only. */
  readonly isReachable: boolean;
  /** Of its YAML. */
  readonly folders: readonly string[];
  readonly trustDomain: string;
  readonly proxies: readonly KnownProxy[];
}

/** Meshes of this user (for root: of anyone, root included) that run now. */
export function findMeshes(folder: string = tmpdir()): KnownMesh[] {
  return readdirSync(folder).filter((name) => name.startsWith(PREFIX)).flatMap((name) => {
    const mesh = readMesh(join(folder, name));
    return mesh === null ? [] : [mesh];
  });
}

/** Reads one state folder. @returns null when nothing runs there, or when it is not ours to trust */
export function readMesh(stateFolder: string): KnownMesh | null {
  try {
    const file = join(stateFolder, FILE);
    // Anyone can make a folder of this name in /tmp: another user's file must not say whom we call.
    if (statSync(file).uid !== process.getuid?.()) return null;
    const mesh = JSON.parse(readFileSync(file, "utf8")) as MeshFile; // written by our own `tulle up`
    if (!existsSync(`/proc/${mesh.pid}`)) return null;
    const proxies = mesh.workloads.flatMap(({ namespace, name, workload, addresses, admin }) => {
      const proxy = { key: `${namespace}/${name}`, workload: `${namespace}/${workload}`, address: addresses[0] ?? "" };
      return admin === null ? [] : [{ ...proxy, admin }];
    });
    const { pid, root: isReachable, folders = [], trustDomain = "cluster.local" } = mesh;
    return { stateFolder, pid, isReachable, folders, trustDomain, proxies };
  } catch {
    return null; // still starting, or just ended
  }
}

/** Whether a proxy is meant by a word: "shop/front-0", "front-0", "front-0.shop", or the same of its workload. */
export function isMeant(proxy: KnownProxy, word: string): boolean {
  return [proxy.key, proxy.workload].some((full) => {
    const [namespace, name] = full.split("/");
    return word === full || word === name || word === `${name}.${namespace}`;
  });
}

/**
 * Runs a command again inside the namespaces of a mesh whose addresses are not reachable from here.
 *
 * @param argv the command with its arguments, as typed after `tulle`
 * @returns its exit status; null when that is not needed, or when it is inside already
 */
export async function runInside(mesh: KnownMesh, argv: readonly string[]): Promise<number | null> {
  if (mesh.isReachable || isInsideMesh() || isInside(mesh)) return null;
  const enter = ["nsenter", "-t", String(mesh.pid), "--user", "--net", "--preserve-credentials"];
  const env = { ...process.env, [INSIDE]: "1" };
  const child = Bun.spawn([...enter, ...selfCommand(), ...argv], { env, stdio: ["inherit", "inherit", "inherit"] });
  return await child.exited;
}

/** Whether this is the copy of a command that runs inside a mesh's namespaces. */
export function isInsideMesh(): boolean {
  return process.env[INSIDE] !== undefined;
}

function isInside(mesh: KnownMesh): boolean {
  try {
    return readlinkSync(`/proc/${mesh.pid}/ns/net`) === readlinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
}

interface MeshFile {
  readonly pid: number;
  readonly root: boolean;
  readonly folders?: readonly string[];
  readonly trustDomain?: string;
  readonly workloads: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly workload: string;
    readonly addresses: readonly string[];
    readonly admin: string | null;
  }[];
}
