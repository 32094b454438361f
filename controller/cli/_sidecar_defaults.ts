/** Settings of sidecars where no annotation says otherwise. */
import { VERSION } from "../../src/base/version.ts";
import type { SidecarSettings } from "../inject/settings.ts";

/** A sidecar that serves a few hundred requests a second; a busy one is given more by annotation. */
export const DEFAULT_SIDECAR: SidecarSettings = {
  image: `tulle:${VERSION}`,
  imagePullPolicy: "IfNotPresent",
  cpuRequest: "10m",
  cpuLimit: null,
  memoryRequest: "40Mi",
  memoryLimit: "256Mi",
  logLevel: "info",
  accessLog: "off",
  drainGrace: "30s",
  workers: 1,
  adminAllow: "",
  egressDns: "off",
};

/** "key=value" → annotations; what is not of that form is an annotation that nobody knows. */
export function sidecarDefaults(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf("=");
    const key = at < 0 ? pair : pair.slice(0, at);
    return [key.includes("/") ? key : `tulle.dev/${key}`, at < 0 ? "" : pair.slice(at + 1)];
  }));
}
