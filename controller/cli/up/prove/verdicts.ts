/** Judges claims from what was measured. Pure. */
import type { Sample } from "../prometheus_text.ts";
import type { Scrape } from "../mesh_stats.ts";
import type { Request } from "./claims.ts";
import type { Answer } from "./probe_client.ts";
import type { WireReport } from "./wire_watch.ts";

export interface Verdict {
  readonly holds: boolean;
  /** The evidence, in a few words and numbers. */
  readonly evidence: string;
}

/** Fewer requests than this prove nothing about shares and rates. */
const MIN_REQUESTS = 50;
const FORBIDDEN = 403;
const PERMISSION_DENIED = 7;

/** What the watcher saw must be TLS 1.3 without exception, and something. @param markers for the evidence: how many texts were looked for */
export function judgeWire(report: WireReport, markers: readonly string[]): Verdict {
  const { tlsConnections, protectedBytes, problems, leaked, seenInClear, unjudged } = report;
  if (problems.length > 0) return { holds: false, evidence: problems.slice(0, 3).join("; ") };
  if (leaked.length > 0) return { holds: false, evidence: `readable on the wire: ${leaked.join(", ")}` };
  if (tlsConnections === 0) {
    return { holds: false, evidence: `saw no complete connection between sidecars (${unjudged} unjudged)` };
  }
  const control = seenInClear.length > 0 ? `, though "${seenInClear[0]}" of an unmeshed workload can` : "";
  return {
    holds: true,
    evidence:
      `${tlsConnections} connections seen from ClientHello on, ${kilobytes(protectedBytes)} protected, none of ` +
      `${markers.length} known texts can be read${control}`,
  };
}

/** Refused is HTTP 403 or gRPC PERMISSION_DENIED with a reason, or for tcp no byte of an answer; another failure is not a refusal. */
export function judgeRefused(request: Request, answer: Answer): Verdict {
  const reason = reasonOf(answer);
  if (request.kind === "tcp") {
    const holds = answer.text === "";
    return { holds, evidence: holds ? answer.error : `answered ${JSON.stringify(answer.text.slice(0, 80))}` };
  }
  const wanted = request.kind === "http" ? FORBIDDEN : PERMISSION_DENIED;
  const name = request.kind === "http" ? `HTTP ${answer.status}` : `gRPC status ${answer.status}`;
  const holds = answer.status === wanted && reason !== "";
  const found = reason === "" ? "without a reason" : reason;
  return { holds, evidence: `${answer.status === null ? "no answer" : name}: ${found}` };
}

/** A sidecar must have counted a denial between two looks. @param verdict what the answer alone says */
export function judgeCounted(
  verdict: Verdict,
  before: readonly Scrape[],
  after: readonly Scrape[],
  key: string,
): Verdict {
  const denials = since(before, after, key, "inbound_tcp_authz_deny_total", () => true) +
    since(before, after, key, "inbound_http_authz_deny_total", () => true);
  const counted = denials > 0 ? "counted as denied" : "but not counted as denied";
  return {
    holds: verdict.holds && denials > 0,
    evidence: `${verdict.evidence}; ${counted} by the sidecar of ${shortName(key)}`,
  };
}

/** Answered is HTTP 200 or gRPC 0 (or bytes, for tcp) with all the texts in the body. */
export function judgeAnswered(answer: Answer, contains: readonly string[]): Verdict {
  const missing = contains.filter((text) => !answer.text.includes(text));
  const ok = answer.error === "" && (answer.status === null || answer.status === 200 || answer.status === 0);
  const said = answer.error !== "" ? answer.error : `${answer.status ?? ""} ${answer.text.trim().slice(0, 120)}`.trim();
  return { holds: ok && missing.length === 0, evidence: said };
}

/** Requests of instances between two looks. */
export function judgeShare(
  before: readonly Scrape[],
  after: readonly Scrape[],
  check: { readonly of: readonly string[]; readonly than: string; readonly atMostPercent: number },
): Verdict {
  const silent = [check.than, ...check.of].filter((key) => ![before, after].every((look) => isIn(look, key)));
  if (silent.length > 0) return { holds: false, evidence: `no metrics of ${silent.map(shortName).join(", ")}` };
  const got = (key: string) => since(before, after, key, "request_total", isInbound);
  const healthy = got(check.than);
  const counts = check.of.map((key) => ({ key, count: got(key) }));
  const text = counts.map(({ key, count }) => `${shortName(key)} ${count}`).join(", ");
  const evidence = `requests: ${shortName(check.than)} ${healthy}, ${text}`;
  if (healthy < MIN_REQUESTS) return { holds: false, evidence: `${evidence} (too few to tell)` };
  return { holds: counts.every(({ count }) => count <= healthy * check.atMostPercent / 100), evidence };
}

/** Connections that an instance received since its start: some over mutual TLS, with data. @param key the instance */
export function judgeTcp(after: readonly Scrape[], key: string): Verdict {
  const opened = since([], after, key, "tcp_open_total", isFromPeer);
  const overTls = since([], after, key, "tcp_open_total", (labels) => isFromPeer(labels) && labels["tls"] === "true");
  const bytes = since(
    [],
    after,
    key,
    "tcp_read_bytes_total",
    (labels) => isFromPeer(labels) && labels["tls"] === "true",
  );
  const evidence = `${overTls} of ${opened} connections over mutual TLS, ${kilobytes(bytes)} received`;
  return { holds: overTls > 0 && bytes > 0, evidence };
}

/** Share of good responses that the instances of a workload saw between two looks. @param workload "shop/load" */
export function judgeSuccess(
  before: readonly Scrape[],
  after: readonly Scrape[],
  workload: string,
  atLeastPercent: number,
): Verdict {
  const keys = after.filter((scrape) => scrape.workload === workload).map((scrape) => scrape.key);
  const sum = (accept: (labels: Sample["labels"]) => boolean) =>
    keys.reduce((total, key) => total + since(before, after, key, "response_total", accept), 0);
  const all = sum(isOutbound);
  const good = sum((labels) => isOutbound(labels) && labels["classification"] === "success");
  if (all < MIN_REQUESTS) return { holds: false, evidence: `${all} responses (too few to tell)` };
  const percent = 100 * good / all;
  const evidence = `${percent.toFixed(1)} % of ${all} calls succeeded, at least ${atLeastPercent} % wanted`;
  return { holds: percent >= atLeastPercent, evidence };
}

/** Why it was refused: a header of the sidecar, the gRPC message, or the body. */
function reasonOf({ headers, text, error }: Answer): string {
  const [code, detail] = [headers["tulle-error"], headers["tulle-error-detail"]];
  if (code !== undefined) return detail === undefined ? code : `${code}: ${detail}`;
  return text === "" ? error : text.trim().split("\n")[0] ?? "";
}

function isInbound(labels: Sample["labels"]): boolean {
  return labels["direction"] === "inbound";
}

function isOutbound(labels: Sample["labels"]): boolean {
  return labels["direction"] === "outbound";
}

/** Of the two connections that a sidecar has per accepted one, the one to the caller. */
function isFromPeer(labels: Sample["labels"]): boolean {
  return labels["direction"] === "inbound" && labels["peer"] !== "dst";
}

function since(
  before: readonly Scrape[],
  after: readonly Scrape[],
  key: string,
  name: string,
  accept: (labels: Sample["labels"]) => boolean,
): number {
  const count = (scrapes: readonly Scrape[]) =>
    scrapes.filter((scrape) => scrape.key === key).flatMap((scrape) => scrape.samples)
      .filter((sample) => sample.name === name && accept(sample.labels))
      .reduce((sum, sample) => sum + sample.value, 0);
  return Math.max(0, count(after) - count(before));
}

function isIn(scrapes: readonly Scrape[], key: string): boolean {
  return scrapes.some((scrape) => scrape.key === key);
}

function shortName(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}

function kilobytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}
