/** Istio's policies read plainly, for one request at a time: what `security.istio.io` says of AuthorizationPolicy and PeerAuthentication. */

type Texts = readonly string[];
export type Mode = "STRICT" | "PERMISSIVE" | "UNSET" | "DISABLE";

export interface Rule {
  readonly from?: readonly { readonly source: Readonly<Record<string, Texts>> }[];
  readonly to?: readonly { readonly operation: Readonly<Record<string, Texts>> }[];
  readonly when?: readonly { readonly key: string; readonly values?: Texts; readonly notValues?: Texts }[];
}

export interface Policy {
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly action: "ALLOW" | "DENY";
  readonly rules: readonly Rule[];
}

export interface Peer {
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly mode: Mode;
  readonly ports: Readonly<Record<string, Mode>>;
}

export interface Request {
  /** "shop/a"; null without a certificate. */
  readonly account: string | null;
  readonly ip: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly team: string | null;
  /** Subject of its token. */
  readonly token: string | null;
}

export interface Workload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export const TRUST_DOMAIN = "cluster.local";
export const ROOT = "istio-system";

const meets = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>) =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

/** A denial that holds refuses; where there is an admission, one must hold; STRICT asks for a certificate. */
export function admits(
  policies: readonly Policy[],
  peers: readonly Peer[],
  workload: Workload,
  request: Request,
): boolean {
  if (request.account === null && mayBeStrict(peers, workload, request.port)) return false;
  const own = policies.filter(({ namespace, selector }) =>
    [workload.namespace, ROOT].includes(namespace) && meets(workload.labels, selector)
  );
  const holds = (policy: Policy) => policy.rules.some((rule) => ruleHolds(rule, policy.namespace, request));
  if (own.some((policy) => policy.action === "DENY" && holds(policy))) return false;
  const allows = own.filter(({ action }) => action === "ALLOW");
  return allows.length === 0 || allows.some(holds);
}

/** Of several of one scope the oldest counts; nobody says which that is, so each is tried. */
function mayBeStrict(peers: readonly Peer[], { namespace, labels }: Workload, port: number): boolean {
  const isWide = ({ selector }: Peer) => Object.keys(selector).length === 0;
  const orNone = (list: readonly Peer[]): readonly (Peer | null)[] => list.length > 0 ? list : [null];
  const said = (mode: Mode | undefined) => mode === undefined || mode === "UNSET" ? null : mode;
  const own = peers.filter((peer) => peer.namespace === namespace && !isWide(peer) && meets(labels, peer.selector));
  const wide = peers.filter((peer) => peer.namespace === namespace && isWide(peer));
  const mesh = peers.filter((peer) => peer.namespace === ROOT && isWide(peer));
  return orNone(own).some((a) =>
    orNone(wide).some((b) =>
      orNone(mesh).some((c) => (said(a?.ports[port]) ?? said(a?.mode) ?? said(b?.mode) ?? said(c?.mode)) === "STRICT")
    )
  );
}

function ruleHolds({ from, to, when }: Rule, namespace: string, request: Request): boolean {
  return (from === undefined || from.length === 0 || from.some(({ source }) => every(source, namespace, request))) &&
    (to === undefined || to.length === 0 || to.some(({ operation }) => every(operation, namespace, request))) &&
    (when ?? []).every(({ key, values, notValues }) =>
      (values === undefined || fits(WORDS[key] ?? key, values, namespace, request)) &&
      (notValues === undefined || !fits(WORDS[key] ?? key, notValues, namespace, request))
    );
}

/** Conditions by the lists that say the same. */
const WORDS: Readonly<Record<string, string>> = {
  "source.principal": "principals",
  "source.namespace": "namespaces",
  "source.ip": "ipBlocks",
  "remote.ip": "remoteIpBlocks",
  "destination.port": "ports",
};

function every(lists: Readonly<Record<string, Texts>>, namespace: string, request: Request): boolean {
  return Object.entries(lists).every(([key, texts]) => {
    if (!key.startsWith("not")) return fits(key, texts, namespace, request);
    return !fits(key.charAt(3).toLowerCase() + key.slice(4), texts, namespace, request);
  });
}

function fits(key: string, texts: Texts, namespace: string, request: Request): boolean {
  const { account, ip, port, method, path, host, team, token } = request;
  const [where = "", name = ""] = account?.split("/") ?? [];
  const any = (value: string | null) => value !== null && texts.some((pattern) => matches(pattern, value));
  switch (key) {
    case "principals":
      return any(account === null ? null : `${TRUST_DOMAIN}/ns/${where}/sa/${name}`);
    case "namespaces":
      return any(account === null ? null : where);
    case "serviceAccounts":
      return account !== null && texts.some((text) => (text.includes("/") ? text : `${namespace}/${text}`) === account);
    case "ipBlocks":
    case "remoteIpBlocks":
      return texts.some((text) => within(ip, text));
    case "requestPrincipals":
    case "request.auth.principal":
      return any(token);
    case "ports":
      return texts.includes(String(port));
    case "methods":
      return any(method);
    case "paths":
      return texts.some((text) => matchesPath(text, path));
    case "hosts":
      return any(host);
    case "request.headers[x-team]":
      return any(team);
    default:
      throw new Error(`${key} is not read`);
  }
}

function matches(pattern: string, value: string): boolean {
  if (pattern.endsWith("*")) return value.startsWith(pattern.slice(0, -1));
  return pattern.startsWith("*") ? value.endsWith(pattern.slice(1)) : value === pattern;
}

function matchesPath(pattern: string, path: string): boolean {
  if (!pattern.includes("{")) return matches(pattern, path);
  const [before = "", after = ""] = pattern.split("{*}");
  const middle = path.slice(before.length, path.length - after.length);
  return path.startsWith(before) && path.endsWith(after) && middle !== "" && !middle.includes("/");
}

/** IPv4 alone, with prefixes of whole bytes. */
function within(ip: string, block: string): boolean {
  const [address = "", length = "32"] = block.split("/");
  const count = Number(length) / 8;
  return ip.split(".").slice(0, count).join(".") === address.split(".").slice(0, count).join(".");
}
