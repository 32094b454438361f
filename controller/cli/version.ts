/** `tulle version`. */
import { COMMIT, VERSION } from "../../src/base/version.ts";
import { type Output, parseOutput, runCommand, teachingCommand } from "./_command.ts";

/** Prints what this binary is: version, commit, and the Bun it carries. */
export async function runVersion(argv: readonly string[]): Promise<void> {
  const command = teachingCommand("version", "Print the version of this binary.", [
    "tulle version",
    "tulle version -o json",
  ])
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(({ output }: { output: Output }) => void process.stdout.write(versionText(output)));
  await runCommand(command, argv);
}

/** The text that is printed. */
export function versionText(output: Output): string {
  const version = {
    version: VERSION,
    commit: COMMIT,
    bun: Bun.version,
    platform: `${process.platform}-${process.arch}`,
  };
  if (output === "json") return JSON.stringify(version) + "\n";
  return `tulle ${version.version} (commit ${version.commit}, Bun ${version.bun}, ${version.platform})\n`;
}
