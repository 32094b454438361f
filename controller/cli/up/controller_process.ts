/** How the controller of a run is started. */
import { join, resolve } from "node:path";
import type { InnerPlan } from "./plan.ts";
import { privateFolder } from "./state_folder.ts";
import type { ProcessPlan } from "./supervised_process.ts";

/** Where it keeps its key, and writes the roots that sidecars trust. */
export function controllerFolder({ stateFolder }: InnerPlan): string {
  return join(stateFolder, "controller");
}

/**
 * Makes its folder and says how to start it.
 *
 * @param self this program
 * @param listen host:port for sidecars
 * @param admin host:port for metrics, readiness and configuration
 */
export function controllerPlan(plan: InnerPlan, self: readonly string[], listen: string, admin: string): ProcessPlan {
  const { stateFolder, options } = plan;
  const folder = privateFolder(controllerFolder(plan), null);
  const command = [...self, "controller"];
  for (const each of options.folders) command.push("--config-dir", resolve(each));
  command.push("--listen", listen, "--admin", admin, "--state-dir", folder, "--trust-domain", options.trustDomain);
  command.push("--tokens", join(stateFolder, "tokens.json"), "--addresses", join(stateFolder, "addresses.json"));
  if (options.leafLifetime !== null) command.push("--leaf-lifetime", options.leafLifetime);
  return {
    name: "controller",
    command,
    workingDir: "/",
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: process.env["HOME"] ?? "/" },
    logFile: join(stateFolder, "controller.log"),
    uid: null,
    inside: (work) => work(),
  };
}
