/** Refusals in words: for the log and explanations, and for the client, who is told no more than who it is entitles it to. */
import { formatIp } from "../../model/ip.ts";
import type { ResourceRef } from "../../model/resource.ts";
import type { Caller } from "./decide.ts";

/** One refusal, said twice. */
export interface Words {
  /** For the log, metrics' readers, `tulle explain` and `tulle authz`. */
  readonly reason: string;
  /** For the client: names of the configuration are for members of the mesh alone. */
  readonly told: string;
}

/** No deny holds, and no allow. @param route null: none, or not known yet @param remark ends the sentence, "" for nothing */
export function notAllowed(server: ResourceRef, route: ResourceRef | null, caller: Caller, remark: string): Words {
  const by = placeOf(server, route, " or ");
  return said(caller, (isNamed) => `no policy ${isNamed ? by : ""}allows it to ${whoIs(caller)}${remark}`);
}

/** An enforced deny holds. */
export function denied(server: ResourceRef, route: ResourceRef | null, caller: Caller): Words {
  const by = placeOf(server, route, " or ");
  return said(caller, (isNamed) => `a policy ${isNamed ? by : ""}denies it to ${whoIs(caller)}`);
}

/** The port has routes, and the request is none of theirs. */
export function noRoute(server: ResourceRef, caller: Caller): Words {
  const by = placeOf(server, null, "");
  return said(caller, (isNamed) => `no route ${isNamed ? by : ""}matches it`);
}

function said({ identity }: Caller, text: (isNamed: boolean) => string): Words {
  const reason = text(true);
  return { reason, told: identity === "" ? text(false) : reason };
}

/** "of Server shop/web or HTTPRoute shop/metrics ", "" where no object is. */
function placeOf(server: ResourceRef, route: ResourceRef | null, between: string): string {
  const names = [server, route].flatMap((ref) => ref === null || ref.kind === "default" ? [] : [nameOf(ref)]);
  return names.length === 0 ? "" : `of ${names.join(between)} `;
}

function nameOf({ kind, namespace, name }: ResourceRef): string {
  return `${kind} ${namespace}/${name}`;
}

/** As the mesh saw it: an address may be that of a gateway or a node. */
function whoIs({ identity, ip }: Caller): string {
  if (identity !== "") return identity;
  return ip === null ? "a client without a mesh identity" : `${formatIp(ip)}, which has no mesh identity`;
}
