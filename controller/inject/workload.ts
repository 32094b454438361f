/** Where the pods of a workload's manifest are described. Pure. */
import type { PodTemplate } from "./pod.ts";

const TEMPLATES: Readonly<Record<string, string>> = {
  Pod: "",
  Deployment: "/spec/template",
  ReplicaSet: "/spec/template",
  StatefulSet: "/spec/template",
  DaemonSet: "/spec/template",
  ReplicationController: "/spec/template",
  Job: "/spec/template",
  CronJob: "/spec/jobTemplate/spec/template",
};

export interface WorkloadTemplate {
  readonly pod: PodTemplate;
  /** Path of the template in the manifest, "" for a pod. */
  readonly root: string;
}

/** @returns null for objects that make no pods */
export function templateOf(manifest: unknown): WorkloadTemplate | null {
  const { kind } = manifest as { kind?: unknown };
  const root = typeof kind === "string" && Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind] : undefined;
  if (root === undefined) return null;
  let at: unknown = manifest;
  for (const key of root.split("/").slice(1)) at = (at as Record<string, unknown> | undefined)?.[key];
  return typeof at === "object" && at !== null ? { pod: at as PodTemplate, root } : null; // by the API's schema
}
