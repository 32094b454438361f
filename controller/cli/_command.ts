/** What the commands of the command line share. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { EXIT_USAGE } from "../../src/base/error.ts";
import { DURATION_FORM, parseDuration } from "../../src/base/duration.ts";

/** Forms of output. */
export type Output = "table" | "json";

/** A command with the texts that its `--help` teaches. @param examples lines shown under "Examples:" */
export function teachingCommand(name: string, summary: string, examples: readonly string[]): Command {
  return new Command(`tulle ${name}`)
    .description(summary)
    .allowExcessArguments(false)
    .showHelpAfterError(`(see: tulle ${name} --help)`)
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`)
    .exitOverride();
}

/** Parses and runs; a command line that cannot be used has been explained on stderr and ends with EXIT_USAGE. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<void> {
  try {
    await command.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

/** Reads the value of `-o`. */
export function parseOutput(text: string): Output {
  if (text === "table" || text === "json") return text;
  throw new InvalidArgumentError(`found "${text}", want table or json.`);
}

/** Reads a duration option. @returns milliseconds */
export function parseDurationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError(`found "${text}", want ${DURATION_FORM}.`);
  return ms;
}

/** Gathers the values of an option that may be given again. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...before ?? [], value];
}
