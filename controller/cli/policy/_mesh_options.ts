/** Options by which commands about policy are told which mesh is meant. */
import type { Command } from "commander";
import { collect } from "../_command.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "../_kube_options.ts";
import { findMeshes, type KnownMesh, readMesh } from "../find_mesh.ts";
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
    .option("-n, --namespace <name>", "of names that do not say theirs")
    .option("--state <folder>", "state folder of the mesh on this machine that is meant, when several run");
}

/** Adds -f as well. */
export function withManifests(command: Command, help: string): Command {
  return withMeshOptions(command).option("-f, --filename <file>", help, collect);
}

/** The mesh on this machine that is meant; null when none runs, or a cluster is meant. @throws UsageError when several run */
export function localMesh(options: MeshOptions): KnownMesh | null {
  if (options.state !== undefined) return readMesh(options.state) ?? findTargets(options, [], 0).mesh;
  if (options.kubeconfig !== undefined || options.context !== undefined) return null;
  return findMeshes().length === 0 ? null : findTargets({}, [], 0).mesh;
}

/** Manifests where some are named, else the mesh on this machine, else the cluster. @throws UsageError, ApiError */
export async function openState(options: MeshOptions): Promise<MeshState> {
  if (options.filename !== undefined) return stateOfManifests(options.filename);
  const mesh = localMesh(options);
  return mesh === null ? await stateOfCluster(openCluster(options)) : stateOfMesh(mesh);
}
