/** `tulle completion SHELL`: a script by which a shell completes commands, options and their values. */
import { Argument, Command, CommanderError } from "commander";
import { runCommand, teachingCommand } from "./_command.ts";
import { bashScript, type CompletedCommand, fishScript, zshScript } from "./_completion_scripts.ts";

/** A command of the binary. */
export interface Face {
  readonly name: string;
  readonly summary: string;
  /** null: it is configured by its environment, and has no options but --help. */
  readonly run: ((argv: string[]) => Promise<void>) | null;
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

const NOTES = `
bash:  source <(tulle completion bash)                                       in ~/.bashrc; needs nothing else
zsh:   source <(tulle completion zsh)                                        in ~/.zshrc, behind compinit
fish:  tulle completion fish > ~/.config/fish/completions/tulle.fish`;

/** @param argv arguments after "completion" @param faces all commands of the binary */
export async function runCompletion(argv: readonly string[], faces: readonly Face[]): Promise<void> {
  const summary = "Print a script that completes commands and options in your shell.";
  const command = teachingCommand("completion", summary, ["source <(tulle completion bash)"])
    .addArgument(new Argument("<shell>", "whose script").choices(Object.keys(SCRIPTS)))
    .addHelpText("after", NOTES)
    .action(async (shell: keyof typeof SCRIPTS) => {
      const commands: CompletedCommand[] = [];
      for (const { name, summary, run } of faces) {
        const defined = name === "completion" ? command : run === null ? null : await definitionOf(run);
        commands.push(describe(name, summary, defined));
      }
      process.exitCode = 0; // defining is not running
      process.stdout.write(SCRIPTS[shell](commands));
    });
  await runCommand(command, argv);
}

/**
 * The definition of a command's line. Each is built where it is used, next to what it starts, so it is caught on the way to
 * being parsed: as if --help had been asked for, without the text.
 */
async function definitionOf(run: (argv: string[]) => Promise<void>): Promise<Command | null> {
  const { parse, parseAsync } = Command.prototype;
  let caught: Command | null = null;
  function seize(this: Command): never {
    caught = this;
    throw new CommanderError(0, "tulle.completion", "");
  }
  Command.prototype.parse = seize;
  Command.prototype.parseAsync = seize;
  try {
    await run(["--help"]);
  } finally {
    Object.assign(Command.prototype, { parse, parseAsync });
  }
  return caught;
}

function describe(name: string, summary: string, command: Command | null): CompletedCommand {
  const help = { long: "--help", short: "-h", help: "how to use it", values: null, choices: [] };
  const options = (command?.options ?? []).filter(({ hidden }) => !hidden).map((option) => ({
    long: option.long ?? "",
    short: option.short ?? "",
    help: option.description,
    values: option.required || option.optional ? option.flags.replace(/^.*[<[](.*?)(\.\.\.)?[>\]]$/, "$1") : null,
    choices: option.argChoices ?? [],
  }));
  const words = (command?.registeredArguments ?? []).flatMap(({ argChoices = [] }) => argChoices);
  return { name, summary, options: [...options, help], words };
}
