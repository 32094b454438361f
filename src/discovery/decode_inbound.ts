/**
 * InboundWorkload of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's.
 *
 * Where access depends on it, a value this version does not know is refused, not guessed: the last good policy stays.
 */
import type { HttpMatch } from "../model/http_match.ts";
import type {
  Authentication,
  Authorization,
  DefaultPolicy,
  InboundPolicy,
  InboundPort,
  InboundRoute,
  Network,
} from "../model/inbound.ts";
import { type IpBlock, parseBlock } from "../model/ip.ts";
import { NO_RESOURCE, type ResourceRef } from "../model/resource.ts";
import type { Result } from "../base/result.ts";
import { parseSpiffeId } from "../model/spiffe_id.ts";
import { ProtoReader } from "../wire/protobuf/reader.ts";
import { Check, nested } from "./check.ts";
import type { RateLimit } from "../model/rate_limit.ts";
import { readRateLimit } from "./decode_rate_limit.ts";
import { protocolOf, readHostname, readMatch, readPort, readResource, readWorkload } from "./decode_common.ts";

const DEFAULTS: readonly (DefaultPolicy | undefined)[] = [
  undefined,
  "all-unauthenticated",
  "all-authenticated",
  "cluster-unauthenticated",
  "cluster-authenticated",
  "deny",
  "audit",
];
/** Takes the place of a block that could not be read; the message is refused anyway. */
const NO_BLOCK = parseBlock("::1/128", "") as { readonly ok: true; readonly value: IpBlock }; // valid text

/** A port whose default may still have to be taken from the workload. */
interface UnresolvedPort {
  readonly port: Omit<InboundPort, "defaultPolicy">;
  readonly defaultPolicy: DefaultPolicy | undefined;
}

/**
 * Decodes and validates the policy of this workload.
 *
 * @param version of the snapshot
 * @param bytes the InboundWorkload message
 */
export function decodeInbound(version: string, bytes: Uint8Array): Result<InboundPolicy> {
  const check = new Check();
  const r = new ProtoReader(bytes);
  let workload = "";
  let identity = "";
  let zone = "";
  let defaultPolicy: DefaultPolicy | undefined;
  const unresolved: UnresolvedPort[] = [];
  const clusterNetworks: IpBlock[] = [];
  const probeNetworks: IpBlock[] = [];
  const denials: Authorization[] = [];
  while (r.next()) {
    if (r.field === 1) workload = nested(r, readWorkload);
    else if (r.field === 2) identity = r.text();
    else if (r.field === 3) {
      unresolved.push(nested(r, (m) => readInboundPort(m, `inbound.ports[${unresolved.length}]`, check)));
    } else if (r.field === 4) defaultPolicy = readDefault(r, "inbound.default_policy", check);
    else if (r.field === 5) {
      clusterNetworks.push(readBlock(r, `inbound.cluster_networks[${clusterNetworks.length}]`, check));
    } else if (r.field === 6) {
      probeNetworks.push(readBlock(r, `inbound.probe_networks[${probeNetworks.length}]`, check));
    } else if (r.field === 20) zone = r.text();
    else if (r.field === 21) {
      denials.push(nested(r, (m) => readAuthorization(m, `inbound.denials[${denials.length}]`, check)));
    } else r.skip();
  }
  if (workload === "") check.fail("inbound.workload", "nothing", "the workload the policy is for");
  if (parseSpiffeId(identity) === null) check.fail("inbound.identity", JSON.stringify(identity), "a SPIFFE ID");
  if (defaultPolicy === undefined) check.fail("inbound.default_policy", "UNSPECIFIED", "one of DefaultPolicy");
  const whole = defaultPolicy ?? "deny";
  const ports = new Map<number, InboundPort>();
  for (const { port, defaultPolicy: own } of unresolved) {
    if (ports.has(port.port)) check.fail("inbound.ports", `port ${port.port} twice`, "each port once");
    ports.set(port.port, { ...port, defaultPolicy: own ?? (port.server === null ? whole : "deny") });
  }
  const networks = { clusterNetworks, probeNetworks };
  const policy = { version, workload, identity, ports, defaultPolicy: whole, denials, ...networks, zone };
  return check.result(policy, r, "inbound");
}

function readInboundPort(r: ProtoReader, path: string, check: Check): UnresolvedPort {
  let port = 0;
  let protocol = 0;
  let server: ResourceRef | null = null;
  let defaultPolicy: DefaultPolicy | undefined;
  const authorizations: Authorization[] = [];
  const routes: InboundRoute[] = [];
  const probePaths: string[] = [];
  let rateLimit: RateLimit | null = null;
  const limits = new Map<ResourceRef, RateLimit>();
  while (r.next()) {
    if (r.field === 1) port = readPort(r, `${path}.port`, check);
    else if (r.field === 2) protocol = r.number();
    else if (r.field === 3) server = nested(r, readResource);
    else if (r.field === 4) {
      authorizations.push(
        nested(r, (m) => readAuthorization(m, `${path}.authorizations[${authorizations.length}]`, check)),
      );
    } else if (r.field === 5) {
      routes.push(nested(r, (m) => readRoute(m, `${path}.routes[${routes.length}]`, check, limits)));
    } else if (r.field === 6) defaultPolicy = readDefault(r, `${path}.default_policy`, check);
    else if (r.field === 7) probePaths.push(r.text());
    else if (r.field === 20) rateLimit = nested(r, (m) => readRateLimit(m, `${path}.rate_limit`, check));
    else r.skip();
  }
  if (port === 0) check.fail(`${path}.port`, "0", "1–65535");
  const spec = { port, protocol: protocolOf(protocol), server, authorizations, routes, probePaths, rateLimit };
  return { port: limits.size === 0 ? spec : { ...spec, routeLimits: limits }, defaultPolicy };
}

function readRoute(r: ProtoReader, path: string, check: Check, limits: Map<ResourceRef, RateLimit>): InboundRoute {
  let ref = NO_RESOURCE;
  let limit: RateLimit | null = null;
  const hostnames: string[] = [];
  const matches: HttpMatch[] = [];
  const authorizations: Authorization[] = [];
  while (r.next()) {
    if (r.field === 1) ref = nested(r, readResource);
    else if (r.field === 2) hostnames.push(readHostname(r, `${path}.hostnames[${hostnames.length}]`, check));
    else if (r.field === 3) matches.push(nested(r, (m) => readMatch(m, `${path}.matches[${matches.length}]`, check)));
    else if (r.field === 4) {
      authorizations.push(
        nested(r, (m) => readAuthorization(m, `${path}.authorizations[${authorizations.length}]`, check)),
      );
    } else if (r.field === 20) limit = nested(r, (m) => readRateLimit(m, `${path}.rate_limit`, check));
    else r.skip();
  }
  if (limit !== null) limits.set(ref, limit);
  return { ref, hostnames, matches, authorizations };
}

function readAuthorization(r: ProtoReader, path: string, check: Check): Authorization {
  let policy = NO_RESOURCE;
  let action = 0;
  let mode = 0;
  const authentications: Authentication[] = [];
  while (r.next()) {
    if (r.field === 1) policy = nested(r, readResource);
    else if (r.field === 2) action = r.number();
    else if (r.field === 3) mode = r.number();
    else if (r.field === 4) {
      authentications.push(
        nested(r, (m) => readAuthentication(m, `${path}.authentications[${authentications.length}]`, check)),
      );
    } else r.skip();
  }
  check.range(`${path}.action`, action, 1, 2);
  check.range(`${path}.mode`, mode, 0, 2);
  return { policy, action: action === 2 ? "deny" : "allow", mode: mode === 2 ? "audit" : "enforce", authentications };
}

function readAuthentication(r: ProtoReader, path: string, check: Check): Authentication {
  let source = NO_RESOURCE;
  let identities: string[] | null = null;
  let networks: Network[] | null = null;
  while (r.next()) {
    if (r.field === 1) source = nested(r, readResource);
    else if (r.field === 2) identities = nested(r, (m) => readIdentities(m, `${path}.mesh_tls`, check));
    else if (r.field === 3) networks = nested(r, (m) => readNetworks(m, `${path}.networks`, check));
    else r.skip();
  }
  if (networks !== null) return { kind: "networks", source, networks };
  if (identities === null) check.fail(path, "no kind that is known", "mesh_tls or networks");
  return { kind: "mesh_tls", source, identities: identities ?? [] };
}

function readIdentities(r: ProtoReader, path: string, check: Check): string[] {
  const identities: string[] = [];
  while (r.next()) {
    if (r.field !== 1) {
      r.skip();
      continue;
    }
    const text = r.text();
    const star = text.indexOf("*");
    const isPattern = star === text.length - 1 && (star === 0 || text.startsWith("spiffe://"));
    if (star < 0 ? parseSpiffeId(text) === null : !isPattern) {
      check.fail(
        `${path}.identities[${identities.length}]`,
        JSON.stringify(text),
        'a SPIFFE ID, or the start of one and "*"',
      );
    }
    identities.push(text);
  }
  return identities;
}

function readNetworks(r: ProtoReader, path: string, check: Check): Network[] {
  const networks: Network[] = [];
  while (r.next()) {
    if (r.field === 1) networks.push(nested(r, (m) => readNetwork(m, `${path}.networks[${networks.length}]`, check)));
    else r.skip();
  }
  return networks;
}

function readNetwork(r: ProtoReader, path: string, check: Check): Network {
  let block: IpBlock | null = null;
  const except: IpBlock[] = [];
  while (r.next()) {
    if (r.field === 1) block = readBlock(r, `${path}.cidr`, check);
    else if (r.field === 2) except.push(readBlock(r, `${path}.except[${except.length}]`, check));
    else r.skip();
  }
  if (block === null) check.fail(`${path}.cidr`, "nothing", "a CIDR block");
  return { block: block ?? NO_BLOCK.value, except };
}

function readBlock(r: ProtoReader, path: string, check: Check): IpBlock {
  return check.take(parseBlock(r.text(), path), NO_BLOCK.value);
}

function readDefault(r: ProtoReader, path: string, check: Check): DefaultPolicy | undefined {
  return DEFAULTS[check.range(path, r.number(), 0, DEFAULTS.length - 1)];
}
