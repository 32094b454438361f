/** A pod → what is captured of it. Pure. */
import { type CapturePlan, DEFAULT_PLAN, DNS_PORT } from "../../src/capture/capture_plan.ts";
import { EGRESS_DNS_ENV, SIDECAR_CONTAINER } from "../core/cluster_names.ts";
import { readSkips } from "../core/skips.ts";

/** A pod of the API, as far as it is read here. */
export interface NodePod {
  readonly metadata: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: unknown;
  };
  readonly spec?: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly initContainers?: readonly PodContainer[];
    readonly containers?: readonly PodContainer[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly initContainerStatuses?: readonly { readonly name?: string; readonly ready?: boolean }[];
  };
}

interface PodContainer {
  readonly name?: string;
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
}

/** What the plugin is told about a pod. */
export type CaptureAnswer =
  | { readonly meshed: false }
  /** Problems: annotations of which parts were left out. */
  | { readonly meshed: true; readonly plan: CapturePlan; readonly problems: readonly string[] };

/** A pod is meshed when it carries the sidecar: what else it says is a wish. */
export function captureOf(pod: NodePod): CaptureAnswer {
  const containers = [...pod.spec?.initContainers ?? [], ...pod.spec?.containers ?? []];
  const sidecar = containers.find(({ name }) => name === SIDECAR_CONTAINER);
  if (pod.spec?.hostNetwork === true || sidecar === undefined) return { meshed: false };
  const problems: string[] = [];
  const { namespace = "", name = "", annotations = {} } = pod.metadata;
  const skips = readSkips(annotations, `Pod ${namespace}/${name}`, problems);
  const plan: CapturePlan = {
    ...DEFAULT_PLAN,
    // As the sidecar was told when it was injected: who listens must be asked, and nobody else.
    dnsPort: sidecar.env?.some(({ name, value }) => name === EGRESS_DNS_ENV && value === "pinned") ? DNS_PORT : null,
    skipOutboundPorts: skips.outboundPorts,
    skipOutboundBlocks: skips.outboundBlocks,
    skipInboundPorts: skips.inboundPorts,
  };
  return { meshed: true, plan, problems };
}

/** As the kubelet sees it. A sidecar whose pod is not captured is never ready. */
export function isSidecarReady(pod: NodePod): boolean {
  const statuses = pod.status?.initContainerStatuses ?? [];
  return statuses.find(({ name }) => name === SIDECAR_CONTAINER)?.ready === true;
}
