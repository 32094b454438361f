/** A pod's spec as the injector sees it: plain data of the API, of which only the named keys are looked at. */

/** Any value of JSON's object form. */
export type Json = Readonly<Record<string, unknown>>;

export interface PodTemplate {
  readonly metadata?: {
    readonly name?: string;
    readonly generateName?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: PodSpec;
}

export interface PodSpec extends Json {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Json[];
  readonly hostNetwork?: boolean;
  readonly securityContext?: { readonly runAsUser?: number };
}

export interface Container extends Json {
  readonly name?: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly (Json & { readonly name?: string; readonly containerPort?: number })[];
  readonly securityContext?: Json & { readonly runAsUser?: number };
  readonly startupProbe?: Json;
  readonly readinessProbe?: Json;
  readonly livenessProbe?: Json;
}

/** All containers, in the order in which they start. */
export function allContainers(spec: PodSpec): readonly Container[] {
  return [...spec.initContainers ?? [], ...spec.containers ?? []];
}
