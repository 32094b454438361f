/**
 * What two processes of a proxy say to each other during an upgrade, as lines of JSON. They may be of different versions,
 * so unknown messages and fields are ignored, and no field is ever given another meaning.
 */
import type { GivenSockets } from "../../connection/listeners.ts";

/** Name of the variable that says what a process inherits. A version that does not know it fails to bind, and ends. */
export const INHERITED = "TULLE_INHERITED";

/**
 * Why a process has inherited sockets.
 *
 * "succeed": it takes the place of the process that started it, which retires once it serves.
 * "return": it is the process of that one's place again, after exec, and has the one that stood in for it retire.
 */
export type Role = "succeed" | "return";

/** Value of the variable, as JSON. */
export interface Inherited {
  readonly role: Role;
  /** Listening sockets by name, admin's among them. */
  readonly sockets: GivenSockets;
  /** Descriptor of the channel to the other process. */
  readonly channel: number;
  /** Process id of the other one. */
  readonly pid: number;
  /** Capture was seen to work. */
  readonly captureWorks: boolean;
  /** This process only stands in: the other one comes back. */
  readonly standsIn: boolean;
  /** Children of the program before whose end nobody else takes. */
  readonly children: readonly number[];
}

/** Lines in both directions. */
export type UpgradeMessage =
  /** The new process has started. */
  | { readonly type: "hello"; readonly pid: number; readonly version: string }
  /** It cannot serve yet. */
  | { readonly type: "waiting"; readonly reasons: readonly string[] }
  /** It serves: connections come to either process. */
  | { readonly type: "serving" }
  /** It has been replaced in its turn: its end says nothing any more. */
  | { readonly type: "replaced" }
  /** It will not serve, and ends. */
  | { readonly type: "failed"; readonly reason: string }
  /** To the process that stood in: the other one serves again. */
  | { readonly type: "retire" };

/** Reads a line; null when it is none of the messages that this version knows. */
export function parseMessage(line: string): UpgradeMessage | null {
  const value = parseObject(line);
  if (value === null) return null;
  switch (value["type"]) {
    case "hello":
      return { type: "hello", pid: Number(value["pid"]), version: String(value["version"]) };
    case "waiting": {
      const { reasons } = value;
      return { type: "waiting", reasons: Array.isArray(reasons) ? reasons.map(String) : [] };
    }
    case "serving":
      return { type: "serving" };
    case "replaced":
      return { type: "replaced" };
    case "failed":
      return { type: "failed", reason: String(value["reason"]) };
    case "retire":
      return { type: "retire" };
    default:
      return null;
  }
}

/** Reads the variable. @throws Error when it is not what a proxy writes */
export function parseInherited(text: string): Inherited {
  const value = parseObject(text);
  const sockets = value?.["sockets"];
  if (value === null || typeof sockets !== "object" || sockets === null) {
    throw new Error(`${INHERITED}: not written by a proxy; only an upgrade sets it`);
  }
  const children = value["children"];
  return {
    role: value["role"] === "return" ? "return" : "succeed",
    sockets: Object.fromEntries(
      Object.entries(sockets).map(([name, { fd, port }]) => [name, { fd: Number(fd), port: Number(port) }]),
    ),
    channel: Number(value["channel"]),
    pid: Number(value["pid"]),
    captureWorks: value["captureWorks"] === true,
    standsIn: value["standsIn"] === true,
    children: Array.isArray(children) ? children.map(Number) : [],
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : null; // keys are looked at
  } catch {
    return null;
  }
}
