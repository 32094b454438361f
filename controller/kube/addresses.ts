/** The file in which `tulle up` says which addresses it gave to what the YAML leaves open. */
import { Reader, type Sink } from "./_reader.ts";
import { readIp } from "./_meta.ts";
import { describeFound, formatPath, formatProblem, type Problem } from "./problem.ts";

/** Addresses by "namespace/name". */
export interface Addresses {
  readonly workloads: ReadonlyMap<string, readonly string[]>;
  readonly services: ReadonlyMap<string, string>;
}

export const NO_ADDRESSES: Addresses = { workloads: new Map(), services: new Map() };

/**
 * Parses `{"workloads": {"shop/catalogue-0": ["10.77.0.12"]}, "services": {"shop/catalogue": "10.96.0.3"}}`. Never throws.
 * @returns the addresses, or what is wrong, one line each
 */
export function parseAddresses(file: string, text: string): Addresses | readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return [`${file}: not JSON: ${error instanceof Error ? error.message : String(error)}`];
  }
  const sink: Sink = { findings: [], unknownKeys: "error" };
  const root = new Reader(value, [], sink);
  const workloads = new Map<string, readonly string[]>();
  const services = new Map<string, string>();
  for (const [key, item] of entries(root, "workloads")) {
    const path = ["workloads", key];
    if (Array.isArray(item)) workloads.set(key, item.map((ip, index) => readIp(root, ip, [...path, index])));
    else root.fail(path, `found ${describeFound(item)}, want a list of addresses`);
  }
  for (const [key, item] of entries(root, "services")) services.set(key, readIp(root, item, ["services", key]));
  root.done();
  if (sink.findings.length === 0) return { workloads, services };
  return sink.findings.map(({ severity, path, detail }) => {
    const problem: Problem = { severity, file, line: 0, column: 0, path: formatPath(path), object: "", detail };
    return formatProblem(problem);
  });
}

function entries(root: Reader, key: string): [string, unknown][] {
  const value = root.raw(key);
  if (value === undefined) return [];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  root.bad(key, "a mapping from namespace/name to addresses");
  return [];
}
