/** PodMonitors of the Prometheus operator: for the sidecars of all namespaces, the controller, the agents. */
import { AGENT, CONTROLLER, MESHED_LABEL } from "../core/cluster_names.ts";
import { labels, type Manifest, namespaced, selector } from "./_common.ts";
import type { InstallValues } from "./values.ts";

/** One monitor for each part that has metrics. */
export function podMonitors(values: InstallValues): Manifest[] {
  return [
    monitor("sidecars", { [MESHED_LABEL]: "true" }, "tulle-admin", values, { namespaceSelector: { any: true } }),
    monitor(CONTROLLER, selector(CONTROLLER), "admin", values),
    monitor(AGENT, selector(AGENT), "admin", values),
  ];
}

function monitor(
  name: string,
  matchLabels: Manifest,
  port: string,
  values: InstallValues,
  rest: Manifest = {},
): Manifest {
  const { interval, labels: chosenBy } = values.podMonitor;
  const made = namespaced("monitoring.coreos.com/v1", "PodMonitor", name, name, values, {
    spec: { selector: { matchLabels }, ...rest, podMetricsEndpoints: [{ port, path: "/metrics", interval }] },
  });
  const metadata = made["metadata"] as Manifest; // by namespaced()
  return { ...made, metadata: { ...metadata, labels: { ...chosenBy, ...labels(name, values) } } };
}
