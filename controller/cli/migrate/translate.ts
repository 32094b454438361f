/** Manifests of Linkerd, Istio and SMI → ours, and the list of what is not the same afterwards. Pure. */
import { NO_ADDRESSES } from "../../kube/addresses.ts";
import { decodeResource } from "../../kube/decode.ts";
import type { PlainObject } from "../../kube/parse_objects.ts";
import { formatPath } from "../../kube/problem.ts";
import type { Resource } from "../../kube/resources.ts";
import { ResourceStore } from "../../kube/store.ts";
import { World } from "../../index/world.ts";
import { translateAnnotations } from "./annotations.ts";
import { translateIstioPolicy } from "./istio_policy.ts";
import { translateVirtualServices } from "./istio_routes.ts";
import { translateDestinationRules } from "./istio_subsets.ts";
import { translateLinkerdPolicy } from "./linkerd_policy.ts";
import { translateServiceProfiles } from "./linkerd_profile.ts";
import { asMapping, type Effect, type Item, Migration, type MigrationOptions, type Output } from "./migration.ts";
import { tellOtherKinds } from "./other_kinds.ts";
import { translateSmi } from "./smi.ts";

export interface Translated {
  readonly outputs: readonly Output[];
  readonly items: readonly Item[];
  /** Objects that came in and stay as they are. */
  readonly unchanged: readonly Output[];
}

/** @returns objects in the order of their origins, each valid by our admission; items, what widens access first */
export function translate(objects: readonly PlainObject[], options: MigrationOptions): Translated {
  const migration = new Migration(objects, options);
  translateAnnotations(migration);
  translateLinkerdPolicy(migration);
  translateServiceProfiles(migration);
  translateSmi(migration);
  translateDestinationRules(migration);
  translateVirtualServices(migration);
  translateIstioPolicy(migration);
  tellOtherKinds(migration, TRANSLATED);
  validate(migration);
  const rank: readonly Effect[] = ["wider", "stricter", "lost", "note"];
  const items = [...migration.items].sort((a, b) => rank.indexOf(a.effect) - rank.indexOf(b.effect));
  return { outputs: migration.outputs(), items, unchanged: migration.unchanged() };
}

/** Kinds with a translator, by group. */
const TRANSLATED: ReadonlyMap<string, readonly string[]> = new Map([
  ["policy.linkerd.io", [
    "Server",
    "ServerAuthorization",
    "AuthorizationPolicy",
    "MeshTLSAuthentication",
    "NetworkAuthentication",
    "HTTPRoute",
    "EgressNetwork",
    "HTTPLocalRateLimitPolicy",
  ]],
  ["linkerd.io", ["ServiceProfile"]],
  ["workload.linkerd.io", ["ExternalWorkload"]],
  ["security.istio.io", ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"]],
  ["networking.istio.io", ["VirtualService", "DestinationRule"]],
  ["split.smi-spec.io", ["TrafficSplit"]],
  ["access.smi-spec.io", ["TrafficTarget"]],
  ["specs.smi-spec.io", ["HTTPRouteGroup", "TCPRoute"]],
]);

/** What admission would refuse is taken back and listed: the output is valid as it stands. */
function validate(migration: Migration): void {
  const resources: Resource[] = [];
  for (const { value, origins } of migration.outputs()) {
    const { resource, findings } = decodeResource(value);
    const isOurs = /tulle\.dev|gateway\.networking/.test(String(value["apiVersion"]));
    const [origin] = origins;
    if (origin === undefined) continue;
    const name = `${value["kind"]} ${String(asMapping(value["metadata"])["name"])}`;
    const errors = findings.filter(({ severity }) => severity === "error");
    // A group of ours with a kind or filter that this version does not read: it would be accepted and do nothing.
    const isLeft = isOurs && (resource === null || errors.length > 0);
    for (const { path, detail, severity } of findings) {
      if (!isOurs && severity === "warning") continue;
      const field = path.length === 0 ? "" : `${formatPath(path)}: `;
      migration.say(
        isLeft ? effectOf(migration, value) : "lost",
        origin,
        "",
        `${name}: ${field}${detail}${isLeft ? ": it is left out" : ""}`,
      );
    }
    if (isLeft) migration.drop(value);
    else if (resource !== null) resources.push(resource);
  }
  tellAnnotations(migration, resources);
}

/** What is admitted, or not, without an object. */
function effectOf(migration: Migration, value: Record<string, unknown>): Effect {
  const kind = value["kind"];
  const { name, namespace } = asMapping(value["metadata"]);
  // A denial of callers that nobody is.
  const isDenied = migration.outputs().some((other) => {
    const spec = asMapping(other.value["spec"]);
    const refs = Array.isArray(spec["requiredAuthenticationRefs"]) ? spec["requiredAuthenticationRefs"] : [];
    return spec["action"] === "Deny" && asMapping(other.value["metadata"])["namespace"] === namespace &&
      refs.map(asMapping).some((ref) => ref["kind"] === kind && ref["name"] === name);
  });
  if (isDenied) return "wider";
  if (kind === "AuthorizationPolicy") return asMapping(value["spec"])["action"] === "Deny" ? "wider" : "stricter";
  if (kind === "Server" || kind === "EgressNetwork" || kind === "RateLimitPolicy") return "wider";
  return kind === "MeshTLSAuthentication" || kind === "NetworkAuthentication" ? "stricter" : "lost";
}

/** Values of annotations that our controller would not take. */
function tellAnnotations(migration: Migration, resources: readonly Resource[]): void {
  const store = new ResourceStore();
  store.replace(resources);
  const world = new World(store, NO_ADDRESSES, {
    trustDomain: migration.options.trustDomain,
    clusterDomain: "cluster.local",
    clusterNetworks: [],
    probeNetworks: [],
    defaultPolicy: "all-unauthenticated",
    injectByDefault: true,
  });
  for (const { object, detail } of world.warnings()) {
    if (!detail.startsWith("annotation ")) continue;
    const output = migration.outputs().find(({ value }) => {
      const { namespace, name } = asMapping(value["metadata"]);
      return object === (namespace === undefined ? name : `${namespace}/${name}`);
    });
    const origin = output?.origins[0];
    if (origin !== undefined) migration.say("lost", origin, "", detail);
  }
}
