/** Options by which commands about policy are told which mesh is meant. */
import type { Command } from "commander";
import { chooseTarget } from "../../api/kube_target.ts";
import { collect } from "../_command.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "../_kube_options.ts";
import { findMeshes, isInsideMesh, type KnownMesh, readMesh } from "../find_mesh.ts";
import { findTargets } from "../targets.ts";
import { type MeshState, stateOfCluster, stateOfManifests, stateOfMesh } from "./mesh_state.ts";

export interface MeshOptions extends KubeOptions {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly state?: string;
}

/** Adds -n, --state, --kubeconfig, --context. */
export function withMeshOptions(command: Command): Command {
  return withKubeOptions(command)
    .option("-n, --namespace <name>", "of names and manifests that do not say theirs")
    .option("--state <folder>", "state folder of the mesh on this machine that is meant, when several run");
}

/** Adds -f as well. */
export function withManifests(command: Command, help: string): Command {
  return withMeshOptions(command).option("-f, --filename <file>", help, collect);
}

/**
 * The mesh on this machine that is meant; null when none runs, or a cluster is meant. Where both are there and neither was
 * named, a line on stderr says once which it is.
 * @throws UsageError when several run
 */
export function localMesh(options: MeshOptions): KnownMesh | null {
  if (options.state !== undefined) return readMesh(options.state) ?? findTargets(options, [], 0).mesh;
  if (options.kubeconfig !== undefined || options.context !== undefined) return null;
  if (findMeshes().length === 0) return null;
  const { mesh } = findTargets({}, [], 0);
  const context = isChoiceSaid || isInsideMesh() ? null : contextOf(process.env);
  if (mesh !== null && context !== null) {
    process.stderr.write(
      `this is about the mesh of \`tulle up\` in ${mesh.stateFolder}; the cluster is meant by --context ${context}\n`,
    );
    isChoiceSaid = true;
  }
  return mesh;
}

let isChoiceSaid = false;

/** The context that a kubeconfig chooses; null without a kubeconfig that can be used. */
function contextOf(env: NodeJS.ProcessEnv): string | null {
  try {
    return chooseTarget({ file: null, context: null }, env).context;
  } catch {
    return null; // asked for nothing else, nobody wants to hear of its mistakes
  }
}

/** Manifests where some are named, else the mesh on this machine, else the cluster. @throws UsageError, ApiError */
export async function openState(options: MeshOptions): Promise<MeshState> {
  if (options.filename !== undefined) return stateOfManifests(options.filename, options.namespace);
  const mesh = localMesh(options);
  return mesh === null ? await stateOfCluster(openCluster(options)) : stateOfMesh(mesh);
}
