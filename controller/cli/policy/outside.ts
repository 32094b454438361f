/** What becomes of a connection to what the mesh does not know: an address as it is, or a name whose address is not known. */
import { hostPort } from "../../../src/base/ip.ts";
import { dependsOnHost, explainOutbound } from "../../../src/proxy/explain.ts";
import { cidrContains } from "../../core/ip.ts";
import { parseTarget } from "../../core/target.ts";
import type { Explanation, Question } from "./explanation.ts";
import type { MeshView, TargetSnapshot } from "./mesh_view.ts";
import { pinsNames } from "./pinned_names.ts";

/** Addresses of no network in use (RFC 5737, RFC 2544): one of them stands for what no EgressNetwork names. */
const ANYWHERE = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.1"];
const ELSEWHERE = "elsewhere";
const AS_IT_IS = "the mesh does not know it: the connection goes there as it is, in plaintext";

type Answer = Pick<Explanation, "trouble" | "admitted">;

interface Verdict {
  readonly permit: boolean;
  /** "" where no policy is about it. */
  readonly reason: string;
}

/** @param key "host:port" of the target, which is not known @param target what the sidecar is told of it */
export function explainOutside(view: MeshView, question: Question, key: string, target: TargetSnapshot): Answer {
  const asked = parseTarget(key);
  const verdicts = asked?.kind === "name"
    ? ofName(view, question, asked.host, asked.port)
    : new Map([["", verdictOn(view, question, target, question.request === null ? "" : question.authority ?? key)]]);
  const reasons = new Set([...verdicts.values()].map(({ reason }) => reason));
  const [only = ""] = reasons;
  const parts = [...verdicts].map(([where, { permit, reason }]) => {
    return `${where}: ${permit ? "" : "egress_denied, "}${reason || "allowed"}`;
  });
  const reason = reasons.size > 1 ? parts.join(". ") : only;
  const permits = [...verdicts.values()].filter(({ permit }) => permit).length;
  if (permits === verdicts.size) {
    return { trouble: reason === "" ? AS_IT_IS : `${AS_IT_IS} (${reason})`, admitted: "all" };
  }
  return permits === 0
    ? { trouble: `it may not leave the mesh (egress_denied): ${reason}`, admitted: "none" }
    : { trouble: `whether it may leave the mesh depends on its address. ${reason}`, admitted: "some" };
}

/** Asked of an address of each network that an EgressNetwork names, and of one of none: sidecars decide by addresses. */
function ofName(view: MeshView, question: Question, host: string, port: number): ReadonlyMap<string, Verdict> {
  const client = question.from ?? { namespace: question.namespace, name: "" };
  const networks = view.set.list("EgressNetwork").filter(({ meta }) => meta.namespace === client.namespace)
    .flatMap((network) => network.networks);
  const blocks = [...new Set(networks.flatMap(({ cidr, except }) => [cidr, ...except]))];
  const verdicts = new Map<string, Verdict>();
  const ask = (where: string, ip: string) => {
    const target = view.target(hostPort(ip, port), client);
    if (!target.known) verdicts.set(where, verdictOn(view, question, target, question.authority ?? host));
  };
  for (const block of blocks) ask(`in ${block}`, block.replace(/\/.*$/, ""));
  const outside = ANYWHERE.find((ip) => !blocks.some((block) => cidrContains(block, ip)));
  if (outside === undefined) return verdicts;
  ask(ELSEWHERE, outside);
  const remarkable = blocks.filter((block) => verdicts.get(`in ${block}`)?.reason !== verdicts.get(ELSEWHERE)?.reason);
  for (const block of blocks) {
    const [ip = ""] = block.split("/");
    if (!remarkable.some((wider) => wider === block || cidrContains(wider, ip))) verdicts.delete(`in ${block}`);
  }
  return verdicts;
}

/** @param authority what the client says it calls; "" for bytes that name nothing */
function verdictOn(view: MeshView, question: Question, target: TargetSnapshot, authority: string): Verdict {
  const request = authority === "" ? null : { method: "GET", path: "/", headers: [], ...question.request, authority };
  const { egress } = explainOutbound(target, request);
  if (egress === null || target.egress === null) return { permit: true, reason: "" };
  if (!egress.permit) return egress;
  const { from } = question;
  const isByAddress = target.egress.allow ||
    target.egress.rules.some(({ allow, hosts }) => allow && hosts.length === 0);
  const isPinned = !isByAddress && dependsOnHost(target.egress) && from !== null &&
    pinsNames(view.set, from.namespace, from.name, from.workload);
  const proof = "; names are pinned: its nameserver has to have given the address for the name, else not_resolved";
  return { permit: true, reason: isPinned ? egress.reason + proof : egress.reason };
}
