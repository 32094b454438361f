/** One object of Kubernetes, as plain data, to a typed resource. */
import { type Finding, MAX_FINDINGS, Reader, type Sink } from "./_reader.ts";
import { readEndpointSlice, readNamespace, readService, readServiceAccount } from "./_core_kinds.ts";
import { readPod } from "./_pod_kind.ts";
import {
  POLICY_GROUP,
  readAuthorizationPolicy,
  readMeshTlsAuthentication,
  readNetworkAuthentication,
  readServer,
} from "./_policy_kinds.ts";
import { readBackendPolicy } from "./_backend_policy_kind.ts";
import { readEgressNetwork } from "./_egress_kind.ts";
import { readFaultInjection } from "./_fault_kind.ts";
import { readRateLimitPolicy } from "./_rate_limit_kind.ts";
import { readReferenceGrant } from "./_grant_kind.ts";
import { GATEWAY_GROUP, readGrpcRoute, readHttpRoute } from "./_route_kinds.ts";
import { restOfRoute } from "./_route_rest.ts";
import { readTcpRoute, readTlsRoute } from "./_stream_route_kinds.ts";
import { readExternalWorkload } from "./_workload_kinds.ts";
import { suggest } from "../../src/base/suggest.ts";
import type { KeyPath } from "./problem.ts";
import { type AnyRoute, type Kind, type Resource, resourceKey } from "./resources.ts";

export interface Decoded {
  /** null when the kind is not ours to read, or when there was an error. */
  readonly resource: Resource | null;
  /** Of a route with errors what may be in force all the same (see `restOfRoute`); null otherwise. */
  readonly rest: AnyRoute | null;
  /** "Service shop/web" as far as it could be made out. */
  readonly object: string;
  readonly findings: readonly Finding[];
}

interface KindEntry {
  readonly group: string;
  readonly versions: readonly string[];
  /** Our own kinds refuse unknown keys; of Kubernetes' kinds newer versions may know more than we do. */
  readonly own: boolean;
  readonly read: (root: Reader) => Resource;
}

const WORKLOAD_GROUP = "workload.tulle.dev";
const GATEWAY_VERSIONS = ["v1", "v1beta1", "v1alpha3", "v1alpha2"];

/** The kinds the mesh reads. */
const KINDS: Readonly<Record<Kind, KindEntry>> = {
  Namespace: { group: "", versions: ["v1"], own: false, read: readNamespace },
  ServiceAccount: { group: "", versions: ["v1"], own: false, read: readServiceAccount },
  Service: { group: "", versions: ["v1"], own: false, read: readService },
  EndpointSlice: { group: "discovery.k8s.io", versions: ["v1"], own: false, read: readEndpointSlice },
  Pod: { group: "", versions: ["v1"], own: false, read: readPod },
  HTTPRoute: { group: GATEWAY_GROUP, versions: GATEWAY_VERSIONS, own: false, read: readHttpRoute },
  GRPCRoute: { group: GATEWAY_GROUP, versions: GATEWAY_VERSIONS, own: false, read: readGrpcRoute },
  TCPRoute: { group: GATEWAY_GROUP, versions: GATEWAY_VERSIONS, own: false, read: readTcpRoute },
  TLSRoute: { group: GATEWAY_GROUP, versions: GATEWAY_VERSIONS, own: false, read: readTlsRoute },
  ReferenceGrant: { group: GATEWAY_GROUP, versions: GATEWAY_VERSIONS, own: false, read: readReferenceGrant },
  Server: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readServer },
  AuthorizationPolicy: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readAuthorizationPolicy },
  MeshTLSAuthentication: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readMeshTlsAuthentication },
  NetworkAuthentication: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readNetworkAuthentication },
  RateLimitPolicy: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readRateLimitPolicy },
  BackendPolicy: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readBackendPolicy },
  EgressNetwork: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readEgressNetwork },
  FaultInjection: { group: POLICY_GROUP, versions: ["v1alpha1"], own: true, read: readFaultInjection },
  ExternalWorkload: { group: WORKLOAD_GROUP, versions: ["v1alpha1"], own: true, read: readExternalWorkload },
};

const OVERFLOW = { severity: "error", atKey: false, detail: `found ${MAX_FINDINGS} mistakes or more` } as const;

/** Groups in which a kind nobody knows is a mistake rather than somebody else's business. */
const OWN_GROUPS = new Set([POLICY_GROUP, WORKLOAD_GROUP]);

/**
 * Decodes one object. Never throws.
 * @param value plain data as a YAML or JSON parser gives it
 * @param path where the object stands in its document; empty for the document itself
 */
export function decodeResource(value: unknown, path: KeyPath = []): Decoded {
  const findings: Finding[] = [];
  const head = new Reader(value, path, { findings, unknownKeys: "warning" });
  if (findings.length > 0) return { resource: null, rest: null, object: "", findings };
  const kind = head.text("kind", `a kind such as ${Object.keys(KINDS).slice(2, 6).join(", ")}`);
  const apiVersion = head.text("apiVersion", "an API version such as v1 or policy.tulle.dev/v1alpha1");
  if (findings.length > 0) return { resource: null, rest: null, object: kind, findings };
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const entry = Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : null; // hasOwn makes it a Kind
  if (entry === null || entry.group !== group) {
    refuseKind(head, kind, group, apiVersion);
    return { resource: null, rest: null, object: kind, findings };
  }
  if (!entry.versions.includes(apiVersion.slice(slash + 1))) {
    head.bad("apiVersion", `${group === "" ? "" : `${group}/`}${entry.versions[0]}`);
    return { resource: null, rest: null, object: kind, findings };
  }
  const sink: Sink = { findings, unknownKeys: entry.own ? "error" : "warning" };
  const root = new Reader(value, path, sink);
  root.ignore("apiVersion", "kind");
  const resource = entry.read(root);
  root.done();
  const object = resourceKey(kind, resource.meta.namespace, resource.meta.name);
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return { resource, rest: null, object, findings };
  // Not all may have been kept: then a rule without one is not known to be good.
  const rest = restOfRoute(resource, findings.length < MAX_FINDINGS ? errors : [{ ...OVERFLOW, path }], path.length);
  return { resource: null, rest, object, findings };
}

/** A kind that is not read: ignored with a warning, refused when it looks like one of ours. */
function refuseKind(head: Reader, kind: string, group: string, apiVersion: string): void {
  const at = [...head.path, "kind"];
  const sameGroup = Object.entries(KINDS).filter(([, entry]) => entry.group === group).map(([name]) => name);
  const other = Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : null; // hasOwn makes it a Kind
  if (OWN_GROUPS.has(group)) {
    const near = suggest(kind, sameGroup);
    head.fail(
      at,
      `found ${kind}, want one of ${sameGroup.join(", ")}${near === null ? "" : `; did you mean ${near}?`}`,
    );
  } else if (other !== null) {
    const want = `${other.group === "" ? "" : `${other.group}/`}${other.versions[0]}`;
    head.warn([...head.path, "apiVersion"], `${kind} of ${apiVersion} is not read (the mesh reads ${want}), ignored`);
  } else {
    const near = suggest(kind, sameGroup);
    head.warn(at, `the mesh does not read the kind ${kind}, ignored${near === null ? "" : `; did you mean ${near}?`}`);
  }
}
