/** A pod with its sidecar → the pod as it was. Pure. */
import {
  BUNDLE_VOLUME,
  INJECTED_ANNOTATION,
  MESHED_LABEL,
  SIDECAR_CONTAINER,
  STATE_VOLUME,
  TOKEN_VOLUME,
} from "../core/cluster_names.ts";
import { ADMIN_PORT } from "../core/sidecar_ports.ts";
import type { Container, Json, PodTemplate } from "./pod.ts";

const VOLUMES = new Set([TOKEN_VOLUME, BUNDLE_VOLUME, STATE_VOLUME]);

/** Takes out what `injectPod` has put in; null when there is no sidecar. */
export function uninjectPod(pod: PodTemplate): PodTemplate | null {
  const { metadata = {}, spec = {} } = pod;
  const sidecar = spec.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
  if (sidecar === undefined) return null;
  const probes = probesOf(sidecar);
  const restore = (container: Container) => restoreProbes(container, probes);
  const { initContainers = [], containers = [], volumes = [], ...rest } = spec;
  const inits = initContainers.filter((container) => container !== sidecar).map(restore);
  const kept = volumes.filter((volume) => !VOLUMES.has(String(volume["name"])));
  return {
    ...pod,
    metadata: {
      ...metadata,
      ...without("labels", metadata.labels, MESHED_LABEL),
      ...without("annotations", metadata.annotations, INJECTED_ANNOTATION),
    },
    spec: {
      ...rest,
      ...(inits.length === 0 ? {} : { initContainers: inits }),
      containers: containers.map(restore),
      ...(kept.length === 0 ? {} : { volumes: kept }),
    },
  };
}

/** What the sidecar asks on behalf of the kubelet, by position. */
function probesOf(sidecar: Container): readonly string[] {
  const env = sidecar["env"] as readonly { readonly name?: string; readonly value?: string }[] | undefined; // by the API's schema
  return env?.find(({ name }) => name === "TULLE_PROBES")?.value?.split(",") ?? [];
}

function restoreProbes(container: Container, probes: readonly string[]): Container {
  let restored = container;
  for (const kind of ["startupProbe", "readinessProbe", "livenessProbe"] as const) {
    const probe = container[kind];
    const http = probe?.["httpGet"] as Json | undefined; // by the API's schema
    const asked = /^\/probe\/(\d+)$/.exec(String(http?.["path"] ?? ""));
    if (probe === undefined || http?.["port"] !== ADMIN_PORT || asked === null) continue;
    const { httpGet: _http, ...rest } = probe;
    const [, scheme, port, path] = /^(tcp|https):(\d+)(.*)$/.exec(probes[Number(asked[1])] ?? "") ?? [];
    if (scheme === undefined) continue;
    const handler = scheme === "tcp"
      ? { tcpSocket: { port: Number(port) } }
      : { httpGet: { path, port: Number(port), scheme: "HTTPS" } };
    restored = { ...restored, [kind]: { ...rest, ...handler } };
  }
  return restored;
}

function without(name: "labels" | "annotations", entries: Readonly<Record<string, string>> | undefined, key: string) {
  if (entries === undefined) return {};
  const { [key]: _gone, ...rest } = entries;
  return { [name]: Object.keys(rest).length === 0 ? undefined : rest };
}
