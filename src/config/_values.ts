/** Readers of single values: text in, the value or what was wanted out. */
import { DURATION_FORM, parseDuration } from "../base/duration.ts";
import { LOG_LEVELS, type LogLevel } from "../base/log.ts";
import { type IpBlock, parseBlock, parseIp } from "../model/ip.ts";

/** A place to listen on or to connect to. */
export interface HostPort {
  /** IP address without brackets, or a host name where one is allowed. */
  readonly host: string;
  readonly port: number;
}

/** A listener whose original destination is fixed. */
export interface Forward {
  readonly listen: HostPort;
  readonly target: HostPort;
}

/** Value, or the wanted form. */
export type Read<T> = { readonly value: T } | { readonly want: string };

/** A reader of one setting. */
export type Reader<T> = (text: string) => Read<T>;

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const HOST = /^[a-zA-Z0-9]([-a-zA-Z0-9.]{0,251}[a-zA-Z0-9])?$/;
/** Longest list, items: a machine has a handful of addresses and forwards. */
const MAX_ITEMS = 64;
/** Threads beyond which memory and messages would cost more than they bring on any machine that runs pods. */
const MAX_WORKERS = 64;

/** A name of Kubernetes (RFC 1123 label). */
export function readLabel(text: string): Read<string> {
  return LABEL.test(text) ? { value: text } : { want: "a name of at most 63 of a–z, 0–9 and -, such as shop" };
}

/** A name with dots, such as a pod's (RFC 1123 subdomain). */
export function readName(text: string): Read<string> {
  const isName = text.length <= 253 && text.split(".").every((part) => LABEL.test(part));
  return isName ? { value: text } : { want: "a name of a–z, 0–9, - and ., such as front-0" };
}

/** IP and port to listen on; IPv6 in brackets. */
export function readListenAddress(text: string): Read<HostPort> {
  const found = splitHostPort(text, 0);
  if (found !== null && parseIp(found.host) !== null) return { value: found };
  return { want: "an IP address and a port of 0–65535, such as 127.0.0.1:4140 or [::]:4143" };
}

/** As readListenAddress; a port of 0 is none, and the address must be loopback: other machines are never to use it. */
export function readLoopbackAddress(text: string): Read<HostPort> {
  const found = splitHostPort(text, 0);
  if (found !== null && isLoopbackText(found.host)) return { value: found };
  return {
    want: "a loopback address and a port, such as 127.0.0.1:4140: others on the network must not reach this listener",
  };
}

/** Host (name or IP) and port to connect to. */
export function readTarget(text: string): Read<HostPort> {
  const found = splitHostPort(text, 1);
  if (found !== null && (parseIp(found.host) !== null || HOST.test(found.host))) return { value: found };
  return { want: "a host and a port of 1–65535, such as 10.96.0.4:8086" };
}

/** A list that is well-formed, but too long: whoever wrote it should not look for a slip in it. */
function tooMany(items: string): { readonly want: string } {
  return { want: `at most ${MAX_ITEMS} ${items}` };
}

/** Comma list of IP addresses. */
export function readAddresses(text: string): Read<readonly string[]> {
  const items = split(text);
  if (items.length > MAX_ITEMS) return tooMany("addresses");
  const isGood = items.every((item) => parseIp(item) !== null);
  return isGood ? { value: items } : { want: "IP addresses separated by commas, such as 10.77.0.12,fd00::12" };
}

/** Whether names are pinned. */
export function readEgressDns(text: string): Read<"off" | "pinned"> {
  return text === "off" || text === "pinned" ? { value: text } : { want: "off or pinned" };
}

/** Comma list of IP addresses, each with its port. */
export function readNameservers(text: string): Read<readonly HostPort[]> {
  const found = split(text).map((item) => splitHostPort(item, 1));
  if (found.length > MAX_ITEMS) return tooMany("addresses");
  const isGood = found.length >= 1 && found.every((item) => item !== null && parseIp(item.host) !== null);
  if (!isGood) return { want: "IP addresses with ports separated by commas, such as 10.96.0.10:53" };
  return { value: found.filter((item) => item !== null) };
}

/** Comma list of CIDR blocks. */
export function readBlocks(text: string): Read<readonly IpBlock[]> {
  const blocks: IpBlock[] = [];
  const items = split(text);
  for (const item of items) {
    const block = parseBlock(item, "");
    if (block.ok) blocks.push(block.value);
  }
  if (items.length > MAX_ITEMS) return tooMany("blocks");
  return blocks.length === items.length
    ? { value: blocks }
    : { want: "CIDR blocks separated by commas, such as 10.77.0.0/16" };
}

/** What to ask of the application on behalf of a kubelet. */
export type ProbeSpec =
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "https"; readonly port: number; readonly path: string };

/** Comma list of "tcp:8080" and "https:8443/healthz". */
export function readProbes(text: string): Read<readonly ProbeSpec[]> {
  const probes: ProbeSpec[] = [];
  for (const item of split(text)) {
    const [, kind, digits, path = ""] = /^(tcp|https):(\d{1,5})(\/\S*)?$/.exec(item) ?? [];
    const port = Number(digits);
    const isGood = port >= 1 && port <= 65535 && (kind === "https") === (path !== "");
    if (!isGood) return { want: "probes separated by commas, such as tcp:8080,https:8443/healthz" };
    probes.push(kind === "https" ? { kind, port, path } : { kind: "tcp", port });
  }
  return probes.length <= MAX_ITEMS ? { value: probes } : tooMany("probes");
}

/** Comma list of "listen=target". */
export function readForwards(text: string): Read<readonly Forward[]> {
  const forwards: Forward[] = [];
  const want = { want: 'pairs "listen=target" separated by commas, such as 127.0.0.1:9000=10.96.0.10:80' };
  for (const item of split(text)) {
    const [from, to, ...rest] = item.split("=");
    const listen = splitHostPort(from ?? "", 0);
    const target = splitHostPort(to ?? "", 1);
    if (listen === null || target === null || rest.length > 0) return want;
    if (parseIp(listen.host) === null || parseIp(target.host) === null) return want;
    forwards.push({ listen, target });
  }
  return forwards.length <= MAX_ITEMS ? { value: forwards } : tooMany('pairs "listen=target"');
}

/** An absolute path: a relative one would depend on who starts the proxy. */
export function readPath(text: string): Read<string> {
  const isGood = text.startsWith("/") && !text.includes("\0");
  return isGood ? { value: text } : { want: "an absolute path, such as /run/tulle/token" };
}

/** Whether an upgrade keeps the process id. */
export function readKeepPid(text: string): Read<"auto" | "always" | "never"> {
  return text === "auto" || text === "always" || text === "never" ? { value: text } : { want: "auto, always or never" };
}

/** Number of threads. */
export function readWorkers(text: string): Read<number> {
  const isGood = /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_WORKERS;
  return isGood ? { value: Number(text) } : { want: `a number of threads, 1–${MAX_WORKERS}` };
}

/** A user id that is not root's. */
export function readUid(text: string): Read<number> {
  const isGood = /^\d{1,10}$/.test(text) && Number(text) > 0 && Number(text) < 2 ** 32 - 1;
  return isGood ? { value: Number(text) } : { want: "a user id above 0, such as 2102" };
}

/** A mark for sockets (SO_MARK), 32 bits, not 0. */
export function readMark(text: string): Read<number> {
  const isGood = /^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text) && Number(text) > 0 && Number(text) < 2 ** 32;
  return isGood ? { value: Number(text) } : { want: "a number of 32 bits above 0, such as 0x2102" };
}

/** A reader for durations within a range, milliseconds. */
export function durationReader(min: number, max: number, range: string): Reader<number> {
  return (text) => {
    const ms = parseDuration(text);
    return ms !== null && ms >= min && ms <= max ? { value: ms } : { want: `${DURATION_FORM}, ${range}` };
  };
}

/** One of the levels of the log. */
export function readLogLevel(text: string): Read<LogLevel> {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  return level === undefined ? { want: LOG_LEVELS.join(", ") } : { value: level };
}

/** Form of the access log. */
export function readAccessLog(text: string): Read<"off" | "json"> {
  return text === "off" || text === "json" ? { value: text } : { want: "off or json" };
}

function split(text: string): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

function isLoopbackText(host: string): boolean {
  return host === "::1" || (/^127\./.test(host) && parseIp(host) !== null);
}

function splitHostPort(text: string, minPort: number): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  return port >= minPort && port <= 65535 ? { host: match[1] ?? match[2] ?? "", port } : null;
}

/** Whether capture must be seen to work. */
export function readCapture(text: string): Read<"off" | "required"> {
  return text === "off" || text === "required" ? { value: text } : { want: "off or required" };
}
