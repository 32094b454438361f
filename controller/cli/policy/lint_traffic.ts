/** Egress, routes and treatment of Services, each valid, that do not do what somebody meant. */
import { cidrContains } from "../../core/ip.ts";
import type { EgressNetwork } from "../../kube/egress_network.ts";
import { keyOf, type NetworkBlock } from "../../kube/resources.ts";
import type { ResourceStore } from "../../kube/store.ts";
import type { Say } from "./lint_finding.ts";
import type { MeshView } from "./mesh_view.ts";

const EGRESS_DEFAULT = "tulle.dev/default-egress-policy";
/** What only requests have. */
const OF_REQUESTS = /^(retry|timeout)\.tulle\.dev\//;

/** EgressNetworks that others make void, and those that change nothing. */
export function lintEgress({ set, state }: MeshView, say: Say): void {
  const all = set.list("EgressNetwork");
  for (const network of all) {
    const { namespace } = network.meta;
    const rivals = all.filter((other) => other !== network && other.meta.namespace === namespace);
    const isAllow = network.trafficPolicy === "Allow";
    const verb = isAllow ? "allows" : "denies";
    for (const other of rivals.filter((each) => coversEgress(each, network))) {
      if (isAllow && other.trafficPolicy === "Deny") {
        const detail = `what it allows ${keyOf(other)} denies, and a denial wins`;
        say("error", "contradicting", keyOf(network), detail, "remove one of the two, or narrow the denial");
      } else if (other.trafficPolicy === network.trafficPolicy && isWider(other, network)) {
        const detail = `${keyOf(other)} ${verb} all that it ${verb}`;
        say("warning", "shadowed", keyOf(network), detail, "remove it, or the wider one");
      }
    }
    const standard = set.list("Namespace").find(({ meta }) => meta.name === namespace);
    const isKnown = standard !== undefined || state.where !== "manifests";
    if (isAllow && isKnown && (standard?.meta.annotations[EGRESS_DEFAULT] ?? "allow") === "allow") {
      const detail = `it changes nothing: namespace ${namespace} may leave the mesh by default`;
      say("warning", "unused", keyOf(network), detail, `annotate the namespace with ${EGRESS_DEFAULT}: deny`);
    }
  }
}

/** Of two that are the same the second by name is superfluous. */
function isWider(wide: EgressNetwork, narrow: EgressNetwork): boolean {
  return !coversEgress(narrow, wide) || wide.meta.name < narrow.meta.name;
}

/** Whether all that `narrow` is about is what `wide` is about; false when that cannot be told. */
function coversEgress(wide: EgressNetwork, narrow: EgressNetwork): boolean {
  const hosts = wide.hosts.length === 0 ||
    narrow.hosts.length > 0 && narrow.hosts.every((host) => wide.hosts.some((pattern) => coversHost(pattern, host)));
  const networks = wide.networks.length === 0 ? narrow.networks.length === 0 : narrow.networks.length > 0 &&
    narrow.networks.every((block) => wide.networks.some((other) => coversBlock(other, block)));
  return hosts && networks;
}

function coversHost(pattern: string, host: string): boolean {
  return pattern === host || pattern.startsWith("*.") && host.endsWith(pattern.slice(1));
}

function coversBlock(wide: NetworkBlock, narrow: NetworkBlock): boolean {
  // Networks hold each other or have nothing in common.
  const isMissed = (hole: string) =>
    coversCidr(hole, narrow.cidr) ||
    coversCidr(narrow.cidr, hole) && !narrow.except.some((other) => coversCidr(other, hole));
  return coversCidr(wide.cidr, narrow.cidr) && !wide.except.some(isMissed);
}

function coversCidr(wide: string, narrow: string): boolean {
  const [ip = "", bits = ""] = narrow.split("/");
  return Number(wide.split("/")[1]) <= Number(bits) && cidrContains(wide, ip);
}

/** What speaks of requests, at Services whose bytes nobody looks at. */
export function lintOpaqueServices({ set, world }: MeshView, say: Say): void {
  for (const { service, ports } of world.services()) {
    if (ports.length === 0 || ports.some(({ protocol }) => protocol !== "opaque")) continue;
    const [namespace = "", name = ""] = service.split("/");
    const { annotations } = set.get("Service", namespace, name)?.meta ?? { annotations: {} };
    const reason = `the ports of Service ${service} are opaque: no request is seen there`;
    for (const key of Object.keys(annotations).filter((each) => OF_REQUESTS.test(each))) {
      const fix = "remove it, or correct appProtocol or the opaque ports";
      say("warning", "unused", `Service ${service}`, `annotation ${key} changes nothing: ${reason}`, fix);
    }
    for (const policy of policiesOf(set, namespace, name)) {
      if (policy.hash !== null && policy.hash.by !== "source_ip" && policy.hash.by !== "identity") {
        const detail = `it keeps nobody with an endpoint by the ${policy.hash.by} ${policy.hash.name}: ${reason}`;
        const fix = "use sourceIP or identity, or correct appProtocol or the opaque ports";
        say("error", "contradicting", keyOf(policy), detail, fix);
      }
      const idle = ["hedging", "retryBudget"].filter((field) =>
        field === "hedging" ? policy.hedging : policy.retryBudget
      );
      if (idle.length === 0) continue;
      const fix = "remove it, or correct appProtocol or the opaque ports";
      say("warning", "unused", keyOf(policy), `${idle.join(" and ")} changes nothing: ${reason}`, fix);
    }
  }
}

function policiesOf(set: ResourceStore, namespace: string, service: string) {
  return set.list("BackendPolicy").filter(({ meta, target }) =>
    meta.namespace === namespace && target.name === service
  );
}
