/** From an ExternalWorkload to its instances: with `replicas: 3`, catalogue is catalogue-0, catalogue-1, catalogue-2. */
import type { ExternalWorkload } from "./resources.ts";

/** How many instances a workload has: its replicas, or one. */
export function replicasOf(workload: ExternalWorkload): number {
  return workload.run?.replicas ?? 1;
}

/** Name of the i-th instance. */
export function instanceName(workload: ExternalWorkload, index: number): string {
  return `${workload.meta.name}-${index}`;
}

/** Addresses the YAML gives the i-th instance; empty when it leaves them open. One instance has all addresses. */
export function declaredAddresses(workload: ExternalWorkload, index: number): readonly string[] {
  if (replicasOf(workload) === 1) return workload.workloadIPs;
  const ip = workload.workloadIPs[index];
  return ip === undefined ? [] : [ip];
}

/** SPIFFE ID of its instances. */
export function identityOf(workload: ExternalWorkload, trustDomain: string): string {
  return workload.identity ?? spiffeId(trustDomain, workload.meta.namespace, workload.serviceAccountName);
}

/** spiffe://<trust domain>/ns/<namespace>/sa/<service account> */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
