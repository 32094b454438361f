/** A pod and its namespace → the pod with its sidecar, and the same as a JSON patch (RFC 6902). Pure. */
import { INJECTED_ANNOTATION, MESHED_LABEL } from "../core/cluster_names.ts";
import type { Container, Json, PodTemplate } from "./pod.ts";
import { type ProxiedProbe, rewriteProbes } from "./probes.ts";
import { type Annotations, readSettings, type SidecarSettings } from "./settings.ts";
import { sidecarContainer, sidecarVolumes } from "./sidecar.ts";

/** One operation of a JSON patch. */
export interface PatchOperation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

export interface Injection {
  readonly patch: readonly PatchOperation[];
  readonly warnings: readonly string[];
}

/**
 * Annotations of a namespace that the node's agent must see, which looks at pods alone: they are written onto the pod.
 */
const CARRIED = ["tulle.dev/skip-inbound-ports", "tulle.dev/skip-outbound-ports", "tulle.dev/skip-subnets"];

export interface InjectOptions {
  readonly defaults: SidecarSettings;
  /** Version of the mesh, for the annotation. */
  readonly version: string;
}

/**
 * The patch that gives a pod its sidecar. Ask `judgePod` first.
 * @param root path of the pod in the patched document: "" for a pod, "/spec/template" for a Deployment
 */
export function injectPod(
  pod: PodTemplate,
  namespace: { readonly annotations: Annotations },
  { defaults, version }: InjectOptions,
  root = "",
): Injection {
  const { metadata = {}, spec = {} } = pod;
  const { settings, warnings } = readSettings(metadata.annotations ?? {}, namespace.annotations, defaults);
  const patch: PatchOperation[] = [];
  const add = (path: string, value: unknown) => void patch.push({ op: "add", path: `${root}${path}`, value });
  let probes: readonly ProxiedProbe[] = [];
  for (const list of ["initContainers", "containers"] as const) {
    (spec[list] ?? []).forEach((container, index) => {
      const rewritten = rewriteProbes(container, probes);
      probes = rewritten.probes;
      for (const [path, value] of changedProbes(container, rewritten.container)) {
        patch.push({ op: "replace", path: `${root}/spec/${list}/${index}/${path}`, value });
      }
    });
  }
  const sidecar = sidecarContainer(settings, probes);
  if (spec.initContainers === undefined) add("/spec/initContainers", [sidecar]);
  else add("/spec/initContainers/0", sidecar);
  if (spec.volumes === undefined) add("/spec/volumes", sidecarVolumes());
  else for (const volume of sidecarVolumes()) add("/spec/volumes/-", volume);
  if (pod.metadata === undefined) add("/metadata", {});
  addEntries("labels", metadata.labels, { [MESHED_LABEL]: "true" });
  const carried = Object.fromEntries(
    CARRIED.flatMap((key) => {
      const value = namespace.annotations[key];
      return value === undefined || metadata.annotations?.[key] !== undefined ? [] : [[key, value]];
    }),
  );
  addEntries("annotations", metadata.annotations, { ...carried, [INJECTED_ANNOTATION]: version });
  return { patch, warnings };

  function addEntries(name: string, present: Annotations | undefined, entries: Annotations): void {
    if (present === undefined) return add(`/metadata/${name}`, entries);
    for (const [key, value] of Object.entries(entries)) add(`/metadata/${name}/${pointer(key)}`, value);
  }
}

function* changedProbes(before: Container, after: Container): Generator<[string, Json]> {
  for (const kind of ["startupProbe", "readinessProbe", "livenessProbe"] as const) {
    const probe = after[kind];
    if (probe !== undefined && probe !== before[kind]) yield [kind, probe];
  }
}

/** Escapes a key for a JSON pointer (RFC 6901 §3). */
function pointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
