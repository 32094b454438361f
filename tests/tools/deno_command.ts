/** Version of Deno that the README names; tools that call it must call the same. */
export const DENO_VERSION = "2.9.6";

/** The command that starts Deno: the one that runs this task when it is on the path, otherwise by npx. */
export function denoCommand(): readonly string[] {
  return Bun.which("deno") === null ? ["npx", "-y", `deno@${DENO_VERSION}`] : ["deno"];
}
