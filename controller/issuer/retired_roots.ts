/**
 * Roots that signed before, kept in the cluster (ConfigMap tulle/retired-roots) for the life of their last leaf: a controller
 * that starts after the root was exchanged goes on trusting the leaves of the old one. Every replica that sees the exchange
 * writes the same.
 */
import { createHash } from "node:crypto";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { TYPES } from "../api/resource_type.ts";
import { MESH_NAMESPACE, RETIRED_ROOTS_CONFIG_MAP } from "../core/cluster_names.ts";
import { type Issuer, readRoots } from "./issuer.ts";

export interface RetiredRoot {
  readonly root: Issuer["root"];
  /** Wall clock, milliseconds since 1970. */
  readonly untilMs: number;
}

/** The roots that are still to be trusted. What cannot be read is nobody's root. @throws ApiError */
export async function readRetiredRoots(client: KubeClient, nowMs: number): Promise<readonly RetiredRoot[]> {
  return Object.values(dataOf(await find(client))).flatMap((text) => {
    const retired = parse(text);
    return retired !== null && retired.untilMs > nowMs ? [retired] : [];
  });
}

/** Adds a root, and drops those whose time is over. @throws ApiError */
export async function writeRetiredRoot(client: KubeClient, retired: RetiredRoot, nowMs: number): Promise<void> {
  const entry = { [keyOf(retired.root)]: textOf(retired) };
  const metadata = { name: RETIRED_ROOTS_CONFIG_MAP, namespace: MESH_NAMESPACE };
  const found = await find(client);
  if (found === null) {
    try {
      await client.create(TYPES.ConfigMap, MESH_NAMESPACE, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata,
        data: entry,
      });
      return;
    } catch (error) {
      if (!(error instanceof ApiError && error.isConflict)) throw error; // another replica was first
    }
  }
  const over = Object.entries(dataOf(found)).filter(([, text]) => (parse(text)?.untilMs ?? 0) <= nowMs);
  const dropped = Object.fromEntries(over.map(([key]) => [key, null]));
  await client.mergePatch(TYPES.ConfigMap, MESH_NAMESPACE, RETIRED_ROOTS_CONFIG_MAP, {
    data: { ...dropped, ...entry },
  });
}

function find(client: KubeClient): Promise<KubeObject | null> {
  return client.find(TYPES.ConfigMap, MESH_NAMESPACE, RETIRED_ROOTS_CONFIG_MAP);
}

function dataOf(map: KubeObject | null): Readonly<Record<string, string>> {
  return (map?.["data"] ?? {}) as Readonly<Record<string, string>>; // text to text by the API's schema
}

function keyOf(root: Issuer["root"]): string {
  return `${createHash("sha256").update(new Uint8Array(root.rawData)).digest("hex").slice(0, 16)}.pem`;
}

/** PEM with its time above: text outside of the marks is a comment there (RFC 7468 §2). */
function textOf({ root, untilMs }: RetiredRoot): string {
  return `trusted until ${new Date(untilMs).toISOString()}\n${root.toString("pem")}\n`;
}

function parse(text: string): RetiredRoot | null {
  const [, time = "", pem = ""] = /^trusted until (\S+)\n([^]*)$/.exec(text) ?? [];
  const untilMs = Date.parse(time);
  try {
    const [root] = readRoots(pem, RETIRED_ROOTS_CONFIG_MAP);
    return root === undefined || Number.isNaN(untilMs) ? null : { root, untilMs };
  } catch {
    return null;
  }
}
