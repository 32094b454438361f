/** What a runtime asks of a plugin (CNI specification 1.1, §2): environment and standard input → a request. Pure. */
import { AGENT_SOCKET } from "../core/cluster_names.ts";

export const SUPPORTED_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

const COMMANDS = ["ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"] as const;
export type Command = (typeof COMMANDS)[number];

/** Error codes of the specification, §5. */
export const CniCode = {
  INCOMPATIBLE_VERSION: 1,
  UNSUPPORTED_FIELD: 2,
  UNKNOWN_CONTAINER: 3,
  INVALID_ENVIRONMENT: 4,
  IO: 5,
  DECODE: 6,
  INVALID_CONFIG: 7,
  TRY_AGAIN: 11,
  /** Ours, above 100. */
  CAPTURE: 101,
  NOT_CAPTURED: 102,
} as const;

/** An error as the runtime reads it. */
export class CniError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = "") {
    super(message);
    this.code = code;
    this.details = details;
  }
}

export interface PluginRequest {
  readonly command: Command;
  readonly cniVersion: string;
  /** Path of the pod's network namespace; "" where the command has none. */
  readonly netns: string;
  /** From CNI_ARGS; "" outside Kubernetes. */
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  /** Result of the plugins before ours, to be handed on as it is; null when there was none. */
  readonly prevResult: unknown;
  readonly socket: string;
}

/** @throws CniError whose message names what was found and what is wanted */
export function readRequest(env: Readonly<Record<string, string | undefined>>, input: string): PluginRequest {
  const command = COMMANDS.find((known) => known === env["CNI_COMMAND"]);
  if (command === undefined) {
    const found = JSON.stringify(env["CNI_COMMAND"] ?? "");
    throw new CniError(CniCode.INVALID_ENVIRONMENT, `CNI_COMMAND: found ${found}, want one of ${COMMANDS.join(", ")}`);
  }
  const config = readConfig(input, command);
  const { cniVersion = "0.3.1", prevResult = null, socket = AGENT_SOCKET } = config;
  if (typeof cniVersion !== "string" || (command !== "VERSION" && !isSupported(cniVersion))) {
    const found = JSON.stringify(cniVersion);
    throw new CniError(
      CniCode.INCOMPATIBLE_VERSION,
      `cniVersion: found ${found}, want one of ${SUPPORTED_VERSIONS.join(", ")}`,
    );
  }
  const netns = env["CNI_NETNS"] ?? "";
  if ((command === "ADD" || command === "CHECK") && netns === "") {
    throw new CniError(CniCode.INVALID_ENVIRONMENT, "CNI_NETNS: found nothing, want the path of a network namespace");
  }
  if ((command === "ADD" || command === "CHECK") && prevResult === null) {
    throw new CniError(
      CniCode.INVALID_CONFIG,
      "prevResult: found nothing: this plugin goes after one that makes an interface",
    );
  }
  const args = readArgs(env["CNI_ARGS"] ?? "");
  return {
    command,
    cniVersion,
    netns,
    podNamespace: args.get("K8S_POD_NAMESPACE") ?? "",
    podName: args.get("K8S_POD_NAME") ?? "",
    podUid: args.get("K8S_POD_UID") ?? "",
    prevResult,
    socket: typeof socket === "string" ? socket : AGENT_SOCKET,
  };
}

function isSupported(version: string): boolean {
  return SUPPORTED_VERSIONS.some((known) => known === version);
}

function readConfig(input: string, command: Command): Readonly<Record<string, unknown>> {
  if (input.trim() === "" && command === "VERSION") return {};
  try {
    const value: unknown = JSON.parse(input);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>; // each key is checked
  } catch {
    // said below
  }
  throw new CniError(CniCode.DECODE, "standard input: want the plugin's configuration as a JSON object");
}

/** "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0" */
function readArgs(text: string): Map<string, string> {
  return new Map(
    text.split(";").map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
