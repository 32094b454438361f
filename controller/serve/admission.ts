/** Admission: reviews in, answers out. Knows no transport. */
import { errorText } from "../../src/base/error.ts";
import type { Logger } from "../../src/base/log.ts";
import { REFUSED_ANNOTATION } from "../core/cluster_names.ts";
import type { Registry } from "../core/metrics.ts";
import { type InjectOptions, injectPod } from "../inject/inject.ts";
import type { PodTemplate } from "../inject/pod.ts";
import type { Annotations } from "../inject/settings.ts";
import { judgePod } from "../inject/verdict.ts";
import { decodeResource } from "../kube/decode.ts";
import { formatPath } from "../kube/problem.ts";

/** `request` of an AdmissionReview (admission.k8s.io/v1), as far as it is read. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly operation?: string;
  readonly dryRun?: boolean;
  readonly object?: unknown;
}

/** `response` of an AdmissionReview. */
export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: "JSONPatch";
  /** base64 */
  readonly patch?: string;
  /** Shown to whoever made the request. */
  readonly warnings?: readonly string[];
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

/** Most warnings of one answer, and their longest text, as the API server takes them. */
const MAX_WARNINGS = 10;
const MAX_WARNING = 250;

export interface NamespaceMeta {
  readonly annotations: Annotations;
  readonly labels: Readonly<Record<string, string>>;
}

export interface AdmissionDeps {
  readonly inject: InjectOptions;
  /** Reads a namespace, live when it is not known yet; null when there is none. */
  readonly namespace: (name: string) => Promise<NamespaceMeta | null>;
  /** Makes sure that the namespace has the trust bundle. */
  readonly ensureBundle: (namespace: string) => Promise<void>;
  readonly log: Logger;
  readonly registry: Registry;
}

export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #injections;
  readonly #validations;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
    this.#injections = deps.registry.counter(
      "injections",
      "Pods that were looked at, by result: inject, skip, or why refused.",
    );
    this.#validations = deps.registry.counter("validations", "Objects that were validated, by result.");
  }

  /** Gives a pod its sidecar. Never refuses a pod: a mesh that is in trouble must not take the cluster with it. */
  async inject(request: AdmissionRequest): Promise<AdmissionResponse> {
    const pod = (request.object ?? {}) as PodTemplate; // the API server sends what its schema says
    const name = request.namespace ?? pod.metadata?.namespace ?? "default";
    const namespace = await this.#deps.namespace(name) ?? { annotations: {}, labels: {} };
    const verdict = judgePod(pod, namespace);
    this.#injections.add({ result: verdict.kind === "refuse" ? verdict.code : verdict.kind });
    if (verdict.kind === "skip") return { uid: request.uid, allowed: true };
    if (verdict.kind === "refuse") {
      this.#deps.log.warn("a pod gets no sidecar", {
        pod: podName(pod, name),
        code: verdict.code,
        reason: verdict.reason,
      });
      const path = pod.metadata?.annotations === undefined
        ? "/metadata/annotations"
        : "/metadata/annotations/tulle.dev~1not-injected";
      const value = pod.metadata?.annotations === undefined ? { [REFUSED_ANNOTATION]: verdict.code } : verdict.code;
      return answer(request.uid, [{ op: "add", path, value }], [`tulle: no sidecar: ${verdict.reason}`]);
    }
    const { patch, warnings } = injectPod(pod, namespace, this.#deps.inject);
    if (request.dryRun !== true) {
      try {
        await this.#deps.ensureBundle(name);
      } catch (error) {
        // The pod waits for the volume, and the writer tries again.
        this.#deps.log.warn("the trust bundle is not in the namespace yet", {
          namespace: name,
          reason: errorText(error),
        });
      }
    }
    return answer(request.uid, patch, warnings.map((warning) => `tulle: ${warning}`));
  }

  /** Refuses an object of ours that could not be read, naming each key, what was found and what is wanted. */
  validate(request: AdmissionRequest): AdmissionResponse {
    if (request.operation === "DELETE") return { uid: request.uid, allowed: true };
    const { findings } = decodeResource(request.object);
    const lines = (severity: "error" | "warning") =>
      findings.filter((finding) => finding.severity === severity)
        .map(({ path, detail }) => path.length === 0 ? detail : `${formatPath(path)}: ${detail}`);
    const errors = lines("error");
    const warnings = lines("warning").slice(0, MAX_WARNINGS).map((line) => `tulle: ${line}`.slice(0, MAX_WARNING));
    this.#validations.add({ result: errors.length === 0 ? "allowed" : "refused" });
    if (errors.length === 0) return { uid: request.uid, allowed: true, warnings };
    const status = { code: 422, reason: "Invalid", message: errors.join("; ") };
    return { uid: request.uid, allowed: false, warnings, status };
  }
}

function answer(uid: string, patch: readonly unknown[], warnings: readonly string[]): AdmissionResponse {
  return {
    uid,
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
    warnings: warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_WARNING)),
  };
}

function podName(pod: PodTemplate, namespace: string): string {
  return `${namespace}/${pod.metadata?.name ?? `${pod.metadata?.generateName ?? ""}*`}`;
}
