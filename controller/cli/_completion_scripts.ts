/** The commands of the binary → scripts for shells. Pure. */

export interface CompletedOption {
  readonly long: string;
  /** "" for none. */
  readonly short: string;
  readonly help: string;
  /** What the value is; null: it takes none. */
  readonly values: string | null;
  readonly choices: readonly string[];
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What may stand beside the options. */
  readonly words: readonly string[];
}

/** For bash 3.2 and later, without the package bash-completion. Where nothing fits, it completes files. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options, words }) => {
    const values = options.filter(({ values }) => values !== null).map((option) =>
      `        ${names(option).join("|")}) words="${option.choices.join(" ")}" ;;`
    );
    const fallback = `        *) case "$cur" in -*) words="${options.flatMap(names).join(" ")}" ;; *) words="${
      words.join(" ")
    }" ;; esac ;;`;
    return [`    ${name}) case "$prev" in`, ...values, fallback, "      esac ;;"].join("\n");
  });
  return `# bash completion of tulle: source <(tulle completion bash)
_tulle() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  else case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    esac
  fi
  [ -z "$words" ] || COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _tulle tulle
`;
}

/** For zsh; sourced behind compinit, or a file _tulle of $fpath. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = commands.map(({ name, summary }) => `      ${quote(`${name}:${summary}`)}`).join("\n");
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.flatMap((option) => names(option).map((form) => quote(zshSpec(form, option))));
    const rest = words.length === 0 ? "'*:file:_files'" : quote(`1:word:(${words.join(" ")})`);
    return `    ${name}) _arguments -s \\\n${[...specs, rest].map((spec) => `      ${spec}`).join(" \\\n")} ;;`;
  });
  return `#compdef tulle
_tulle() {
  if (( CURRENT == 2 )); then
    local -a commands
    commands=(
${described}
    )
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "\${words[1]}" in
${cases.join("\n")}
  esac
}
if [ "\${funcstack[1]}" = _tulle ]; then _tulle "$@"; else compdef _tulle tulle; fi
`;
}

function zshSpec(form: string, { help, values, choices }: CompletedOption): string {
  const text = `*${form}[${help.replace(/[[\]\\]/g, "\\$&")}]`;
  if (values === null) return text;
  return `${text}:${values.replaceAll(":", "\\:")}:${choices.length === 0 ? "_files" : `(${choices.join(" ")})`}`;
}

/** For fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = ["# fish completion of tulle"];
  for (const { name, summary, options, words } of commands) {
    const here = `-n "__fish_seen_subcommand_from ${name}"`;
    lines.push(`complete -c tulle -n __fish_use_subcommand -f -a ${name} -d ${quote(summary)}`);
    if (words.length > 0) lines.push(`complete -c tulle ${here} -f -a ${quote(words.join(" "))}`);
    for (const { long, short, help, values, choices } of options) {
      const form = [long === "" ? "" : `-l ${long.slice(2)}`, short === "" ? "" : `-s ${short.slice(1)}`];
      const value = values === null ? "" : choices.length === 0 ? "-r" : `-x -a ${quote(choices.join(" "))}`;
      lines.push(
        ["complete -c tulle", here, ...form, value, `-d ${quote(help)}`].filter((part) => part !== "").join(" "),
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function names({ long, short }: CompletedOption): string[] {
  return [long, short].filter((name) => name !== "");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
