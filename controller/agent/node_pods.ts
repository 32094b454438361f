/** The pods of a node, and the turn that sees that the meshed ones among them are captured. */
import { errorText } from "../../src/base/error.ts";
import type { Logger } from "../../src/base/log.ts";
import type { KubeClient } from "../api/client.ts";
import { writeEvent } from "../api/event.ts";
import type { Registry } from "../core/metrics.ts";
import type { PodKey } from "./agent_socket.ts";
import { captureOf, isSidecarReady, type NodePod } from "./pod_capture.ts";
import { repairPod } from "./repair.ts";

/** How often pods that were not yet seen to be captured are looked at, milliseconds. */
const LOOK_MS = 1_000;

export interface NodePodsDeps {
  readonly client: KubeClient;
  readonly log: Logger;
  readonly registry: Registry;
}

export class NodePods {
  readonly #deps: NodePodsDeps;
  readonly #pods = new Map<string, NodePod>();
  /** UIDs of pods whose capture was seen. */
  readonly #captured = new Set<string>();
  readonly #repairs;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** Failures that were told, by UID. */
  readonly #told = new Map<string, string>();

  constructor(deps: NodePodsDeps) {
    this.#deps = deps;
    this.#repairs = deps.registry.counter("pod_repairs", "Meshed pods found without capture, by result.");
    const captured = deps.registry.gauge("captured_pods", "Meshed pods of the node whose traffic is captured.");
    const waiting = deps.registry.gauge(
      "uncaptured_pods",
      "Meshed pods of the node whose traffic is not captured (yet).",
    );
    deps.registry.collect(() => {
      captured.set(this.#captured.size);
      waiting.set([...this.#pods.values()].filter((pod) => this.#needsLook(pod)).length);
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** A pod by name, and by UID where one is given. */
  get({ namespace, name, uid }: PodKey): NodePod | null {
    const pod = this.#pods.get(`${namespace}/${name}`);
    return pod === undefined || (uid !== "" && pod.metadata.uid !== uid) ? null : pod;
  }

  replace(pods: readonly NodePod[]): void {
    this.#pods.clear();
    for (const pod of pods) this.#pods.set(keyOf(pod), pod);
    const uids = new Set(pods.map((pod) => pod.metadata.uid ?? ""));
    for (const uid of this.#captured) if (!uids.has(uid)) this.#captured.delete(uid);
  }

  set(pod: NodePod): void {
    this.#pods.set(keyOf(pod), pod);
    // A pod keeps its UID when its sandbox is made anew, as after a reboot, with a namespace in which nothing is captured
    // unless the plugin was asked. Its sidecar is not ready then.
    if (!isSidecarReady(pod)) this.#captured.delete(pod.metadata.uid ?? "");
  }

  remove(pod: NodePod): void {
    this.#pods.delete(keyOf(pod));
    this.#captured.delete(pod.metadata.uid ?? "");
    this.#told.delete(pod.metadata.uid ?? "");
  }

  #needsLook(pod: NodePod): boolean {
    const phase = pod.status?.phase;
    return (phase === "Running" || phase === "Pending") && !this.#captured.has(pod.metadata.uid ?? "") &&
      captureOf(pod).meshed;
  }

  #look(): void {
    for (const pod of this.#pods.values()) if (this.#needsLook(pod)) this.#repair(pod);
  }

  #repair(pod: NodePod): void {
    const result = repairPod(pod);
    const uid = pod.metadata.uid ?? "";
    const name = keyOf(pod);
    switch (result.kind) {
      case "captured":
        this.#captured.add(uid);
        return;
      case "repaired":
        this.#captured.add(uid);
        this.#repairs.add({ result: "repaired" });
        this.#deps.log.warn("a meshed pod was not captured; it is now", { pod: name });
        for (const problem of result.problems) this.#deps.log.warn("an annotation cannot be read", { problem });
        void this.#report(pod, "CaptureRepaired", "Its traffic was not captured by the network plugin; it is now.");
        return;
      case "failed":
        if (this.#told.get(uid) === result.reason) return;
        this.#told.set(uid, result.reason);
        this.#repairs.add({ result: "failed" });
        this.#deps.log.error("a meshed pod cannot be captured; trying again", { pod: name, reason: result.reason });
        void this.#report(pod, "CaptureFailed", `Its traffic cannot be captured: ${result.reason}`);
        return;
      case "not_meshed":
      case "not_running":
        return;
      default:
        result satisfies never;
    }
  }

  /** Says it where people look: among the pod's events. */
  async #report(pod: NodePod, reason: string, message: string): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    const about = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
    const text = { type: "Warning", reason, message, component: "tulle-agent" } as const;
    try {
      await writeEvent(this.#deps.client, about, text, Date.now());
    } catch (error) {
      this.#deps.log.warn("cannot write an event", { pod: keyOf(pod), reason: errorText(error) });
    }
  }
}

function keyOf({ metadata }: NodePod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
