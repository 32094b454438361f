/** Values for tests; each test states only what it is about. */
import type { Service } from "../../kube/resources.ts";
import type { Instance, MeshFolder } from "./mesh_folder.ts";

export function instance(name: string, with_: Partial<Instance> = {}): Instance {
  return {
    key: `${with_.namespace ?? "shop"}/${name}`,
    namespace: "shop",
    name,
    workload: name.replace(/-\d+$/, ""),
    index: 0,
    serviceAccount: "default",
    labels: { app: name.replace(/-\d+$/, "") },
    meshed: true,
    optional: false,
    ports: [],
    skips: { outboundPorts: [], inboundPorts: [], outboundBlocks: [] },
    dns: { pinned: false, nameservers: [] },
    workers: 1,
    command: ["true"],
    workingDir: "/",
    env: {},
    fixedIps: [],
    fingerprint: name,
    ...with_,
  };
}

export function service(name: string, with_: Partial<Service> = {}): Service {
  return {
    kind: "Service",
    meta: { kind: "Service", namespace: "shop", name, labels: {}, annotations: {}, createdMs: null },
    selector: { app: name },
    ports: [],
    clusterIPs: [],
    headless: false,
    externalName: null,
    publishNotReadyAddresses: false,
    nodeLocal: false,
    affinityMs: null,
    ...with_,
  };
}

export function folderOf(instances: Instance[], services: Service[]): MeshFolder {
  return { instances, services, outside: [], problems: [], refused: [] };
}
