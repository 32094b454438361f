/** Finds out, by trying, in which way namespaces can be had here. */
import { readFileSync } from "node:fs";

/** How the inner process is put into its namespaces. */
export type Privileges =
  | { readonly kind: "root"; readonly command: readonly string[] }
  | { readonly kind: "user-namespace"; readonly command: readonly string[] }
  | { readonly kind: "none"; readonly missing: string };

const NAMESPACES = ["--mount", "--pid", "--net", "--fork", "--kill-child=SIGKILL"];
const USER_NAMESPACE = ["--user", "--map-root-user"];

/** @param rootless use a user namespace also when root */
export function findPrivileges(rootless: boolean): Privileges {
  const unshare = Bun.which("unshare");
  if (unshare === null) return { kind: "none", missing: "the program `unshare` (package util-linux) is not installed" };
  const asRoot = [unshare, ...NAMESPACES];
  if (process.getuid?.() === 0 && !rootless && works(asRoot)) return { kind: "root", command: asRoot };
  const asUser = [unshare, ...USER_NAMESPACE, ...NAMESPACES];
  if (works(asUser)) return { kind: "user-namespace", command: asUser };
  return { kind: "none", missing: whyNot() };
}

function works(command: readonly string[]): boolean {
  const harmless = [command[0] ?? "", "--version"]; // a program that is there for sure
  return Bun.spawnSync([...command, ...harmless], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exitCode ===
    0;
}

/** One line that says what stands in the way, and what would help. */
function whyNot(): string {
  const way = "run as root, or allow it";
  if (setting("kernel/unprivileged_userns_clone") === "0") {
    return `user namespaces are switched off: ${way} with \`sysctl kernel.unprivileged_userns_clone=1\``;
  }
  if (setting("kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return `AppArmor restricts user namespaces: ${way} with \`sysctl kernel.apparmor_restrict_unprivileged_userns=0\``;
  }
  if (setting("user/max_user_namespaces") === "0") {
    return `no user namespaces may be made: ${way} with \`sysctl user.max_user_namespaces=10000\``;
  }
  return "neither root with CAP_SYS_ADMIN nor user namespaces are to be had here (in a container: start it privileged)";
}

function setting(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return "";
  }
}
