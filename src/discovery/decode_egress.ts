/** Egress of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import type { Egress, EgressRule } from "../model/egress.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";
import { readHostname, readResource } from "./decode_common.ts";

/** Egress. */
export function readEgress(r: ProtoReader, path: string, check: Check): Egress {
  let allow = false;
  let fallback = NO_RESOURCE;
  const rules: EgressRule[] = [];
  while (r.next()) {
    if (r.field === 1) allow = r.number() !== 0;
    else if (r.field === 2) fallback = nested(r, readResource);
    else if (r.field === 3) rules.push(nested(r, (m) => readRule(m, `${path}.rules[${rules.length}]`, check)));
    else r.skip();
  }
  return { allow, fallback, rules };
}

function readRule(r: ProtoReader, path: string, check: Check): EgressRule {
  let network = NO_RESOURCE;
  let allow = false;
  const hosts: string[] = [];
  while (r.next()) {
    if (r.field === 1) network = nested(r, readResource);
    else if (r.field === 2) allow = r.number() !== 0;
    else if (r.field === 3) hosts.push(readHostname(r, `${path}.hosts[${hosts.length}]`, check));
    else r.skip();
  }
  return { network, allow, hosts };
}
