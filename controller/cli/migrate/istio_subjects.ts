/** Workloads that policies of Istio are about, as selectors and ports of our Servers. */
import { templateOf } from "../../inject/workload.ts";
import { asMapping, meets, type Migration, type Source, textMap } from "./migration.ts";
import { portsOf, selectorOf } from "./services.ts";

/** A workload with the ports that it is known to serve. */
export interface Subject {
  readonly namespace: string;
  readonly name: string;
  /** Of its pods. */
  readonly labels: Readonly<Record<string, string>>;
  /** What a Server finds its pods by; empty: all of the namespace. */
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  /** Its manifests; empty when it is known by a policy's selector only. */
  readonly sources: readonly Source[];
}

/** Every workload of a namespace among the manifests. */
export function workloadsOf(migration: Migration, namespace: string): Subject[] {
  return migration.sources.flatMap((source): Subject[] => {
    const template = source.namespace === namespace ? templateOf(source.value) : null;
    if (template === null) return [];
    const pod = asMapping(template.pod);
    const labels = textMap(asMapping(pod["metadata"])["labels"]);
    const own = textMap(asMapping(asMapping(source.value["spec"])["selector"])["matchLabels"]);
    const selector = Object.keys(own).length > 0 ? own : labels;
    if (Object.keys(selector).length === 0) return []; // nothing finds such pods
    const ports = [...containerPorts(pod), ...servicePorts(migration, namespace, labels, containerPortNames(pod))];
    return [{
      namespace,
      name: source.name,
      labels,
      selector,
      ports: [...new Set(ports)].sort((a, b) => a - b),
      sources: [source],
    }];
  });
}

/** A workload that only a policy's selector tells of; its ports are those of Services that find the same pods. */
export function unknownSubject(
  migration: Migration,
  namespace: string,
  name: string,
  selector: Readonly<Record<string, string>>,
): Subject {
  const ports = new Set(servicePorts(migration, namespace, selector, new Map()));
  return { namespace, name, labels: selector, selector, ports: [...ports].sort((a, b) => a - b), sources: [] };
}

function containerPorts(pod: Readonly<Record<string, unknown>>): number[] {
  return [...containerPortNames(pod).values()];
}

/** By name; a port without one by its number. */
function containerPortNames(pod: Readonly<Record<string, unknown>>): Map<string, number> {
  const containers = asMapping(pod["spec"])["containers"];
  const ports = new Map<string, number>();
  for (const container of Array.isArray(containers) ? containers.map(asMapping) : []) {
    for (
      const { containerPort, name, protocol = "TCP" } of Array.isArray(container["ports"])
        ? container["ports"].map(asMapping)
        : []
    ) {
      if (typeof containerPort === "number" && protocol === "TCP") {
        ports.set(typeof name === "string" ? name : String(containerPort), containerPort);
      }
    }
  }
  return ports;
}

/** Ports of pods that Services send to. */
function servicePorts(
  migration: Migration,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  names: ReadonlyMap<string, number>,
): number[] {
  return migration.list("", "Service").filter((service) => {
    const selector = selectorOf(service);
    const isMeant = Object.keys(selector).length > 0 && (meets(labels, selector) || meets(selector, labels));
    return service.namespace === namespace && isMeant && Object.keys(labels).length > 0;
  }).flatMap((source) =>
    portsOf({ source }).flatMap(({ targetPort }) => {
      const port = typeof targetPort === "number" ? targetPort : names.get(targetPort);
      return port === undefined ? [] : [port];
    })
  );
}
