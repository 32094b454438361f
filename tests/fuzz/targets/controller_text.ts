import { chain, unchain } from "../../../controller/agent/cni_config.ts";
import { CniError, readRequest } from "../../../controller/agent/plugin_request.ts";
import { readSkips } from "../../../controller/core/skips.ts";
import { DEFAULT_SIDECAR } from "../../../controller/cli/_sidecar_defaults.ts";
import { applyPatch } from "../../../controller/inject/apply_patch.ts";
import { injectPod } from "../../../controller/inject/inject.ts";
import { readSettings } from "../../../controller/inject/settings.ts";
import { parseAddresses } from "../../../controller/kube/addresses.ts";
import { decodeResource } from "../../../controller/kube/decode.ts";
import { checkRegex } from "../../../controller/kube/regex.ts";
import { parseTokens } from "../../../controller/issuer/tokens.ts";
import { compilePattern } from "../../../src/base/pattern.ts";
import { agree, holds, type Target } from "../target.ts";

const ENTRY = { socket: "/run/tulle/cni.sock" };
const CNI_ENV = { CNI_COMMAND: "ADD", CNI_NETNS: "/n", CNI_ARGS: "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b" };

export const target: Target = {
  about:
    "texts that the controller and its agent read: JSON of CNI, tokens, addresses, annotations, objects of an API server, patterns",
  seeds: [
    '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"},{"type":"tulle-cni","socket":"/s"}]}',
    '{"cniVersion":"1.1.0","name":"n","type":"bridge","prevResult":{"ips":[]}}',
    '{"workloads":{"shop/a-0":["10.0.0.1"]},"services":{"shop/a":"10.96.0.1"}}',
    `{"${"a".repeat(64)}":{"namespace":"shop","serviceAccount":"front","workload":"front-0"}}`,
    '{"tulle.dev/skip-inbound-ports":"25,7000-7010","tulle.dev/proxy-cpu-limit":"100m","tulle.dev/inject":"enabled","tulle.dev/proxy-workers":"2"}',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop","labels":{"app":"a"}},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],"readinessProbe":{"tcpSocket":{"port":80}}}]},"status":{"podIPs":[{"ip":"10.0.0.1"}]}}',
    '"(a|b)*c[0-9]{2,3}"',
  ],
  dictionary: [
    '"plugins":[',
    '"type":"tulle-cni"',
    "null",
    "[]",
    "{}",
    '"__proto__":{}',
    '"tulle.dev/',
    '"prevResult":{}',
    "\\u0000",
    "1e999",
    "-1",
    '"port":',
  ],
  maxBytes: 1200,
  run(input) {
    const text = new TextDecoder().decode(input);
    checkCni(text);
    const addresses = parseAddresses("a.json", text);
    if (!("workloads" in addresses)) {
      holds(addresses.every((line) => line.startsWith("a.json")), "a problem without its file");
    }
    const tokens = parseTokens("t.json", text);
    if (typeof tokens === "string") holds(tokens.startsWith("t.json"), "a problem without its file");
    const value = parsed(text);
    const decoded = decodeResource(value);
    holds(JSON.stringify(decoded).length > 0, "no result");
    if (typeof value === "string") checkPattern(value);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) checkAnnotations(value);
    checkInjection(value);
  },
};

function checkCni(text: string): void {
  const chained = chain(text, ENTRY);
  if (chained.kind === "changed") {
    agree("chained twice", chain(chained.text, ENTRY).kind, "unchanged");
    holds(unchain(chained.text).kind === "changed", "what was chained is not unchained");
  }
  try {
    readRequest(CNI_ENV, text);
    readRequest({ CNI_COMMAND: text }, "{}");
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause;
    holds(cause.message.length > 0, "no reason");
  }
}

function checkPattern(source: string): void {
  if (checkRegex(source) !== null) return;
  const pattern = compilePattern(source, "here");
  holds(pattern.ok, `the proxy refuses a pattern that the controller takes: ${pattern.ok ? "" : pattern.error}`);
}

function checkAnnotations(value: object): void {
  const annotations = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)]));
  const problems: string[] = [];
  const { outboundPorts, inboundPorts } = readSkips(annotations, "the pod", problems);
  for (const { first, last } of [...outboundPorts, ...inboundPorts]) {
    holds(first >= 1 && first <= last && last <= 65_535, `ports ${first}–${last}`);
  }
  const { warnings } = readSettings(annotations, {}, DEFAULT_SIDECAR);
  for (const line of [...problems, ...warnings]) {
    holds(line.includes("tulle.dev/"), `a problem without its key: ${line}`);
  }
}

/** A pod as an API server gives it: its schema is checked there, so containers are lists of objects. */
function checkInjection(value: unknown): void {
  const decoded = decodeResource(value);
  const pod = value as Parameters<typeof injectPod>[0] & { kind?: unknown } | null;
  if (!("resource" in decoded) || pod?.kind !== "Pod" || !Array.isArray(pod.spec?.containers)) return;
  const { patch } = injectPod(pod, { annotations: {} }, { defaults: DEFAULT_SIDECAR, version: "1" });
  applyPatch(pod, patch);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a text like any other
  }
}
