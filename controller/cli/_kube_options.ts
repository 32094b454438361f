/** Options of commands that talk to a cluster, with kubectl's names. */
import type { Command } from "commander";
import { KubeClient } from "../api/client.ts";
import { chooseTarget } from "../api/kube_target.ts";

export interface KubeOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Adds --kubeconfig and --context. */
export function withKubeOptions(command: Command): Command {
  return command
    .option("--kubeconfig <file>", "how to reach the cluster (else $KUBECONFIG, else ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig");
}

const opened = new Map<string, KubeClient>();

/** The cluster that is meant; the same client for the same options, so that nobody logs in twice. @throws UsageError that says what to set */
export function openCluster({ kubeconfig, context }: KubeOptions): KubeClient {
  const key = JSON.stringify([kubeconfig, context]);
  let client = opened.get(key);
  if (client === undefined) {
    client = new KubeClient(chooseTarget({ file: kubeconfig ?? null, context: context ?? null }, process.env));
    opened.set(key, client);
  }
  return client;
}
