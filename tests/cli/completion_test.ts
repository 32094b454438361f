import { expect, test } from "bun:test";
import { findProgram, run } from "../support/process.ts";
import { need } from "../support/tools.ts";
import { tulleCommand } from "../support/tulle_command.ts";

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await run({ argv: [...tulleCommand(), "completion", shell], timeoutMs: 60_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const bash = need("bash");

/** What bash would offer at the end of a line. */
async function offers(line: string): Promise<string[]> {
  const words = line.split(" ");
  const program = `eval "$SCRIPT"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${
    words.length - 1
  }; _tulle; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const argv = [bash?.bash ?? "", "--norc", "-euc", program];
  const { code, stdout, stderr } = await run({ argv, env: { SCRIPT: await script("bash") } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").filter((word) => word !== "");
}

test.skipIf(bash === null).each([
  ["tulle che", ["check"]],
  ["tulle un", ["uninstall", "uninject"]],
  ["tulle check --pr", ["--pre"]],
  ["tulle install --image-pull-policy ", ["Always", "IfNotPresent", "Never"]],
  ["tulle install --image-p", ["--image-pull-policy"]],
  ["tulle up --pro", ["--prove"]],
  ["tulle controller --log-level w", ["warn"]],
  ["tulle completion z", ["zsh"]],
  ["tulle proxy -", ["--help", "-h"]],
  ["tulle install -f ", []],
])("bash completes %j", async (line, expected) => {
  expect(await offers(line)).toEqual(expected);
});

test.skipIf(bash === null)("bash registers the completion when it loads the script", async () => {
  const argv = [bash?.bash ?? "", "--norc", "-euc", 'eval "$SCRIPT"; complete -p tulle'];
  const { stdout } = await run({ argv, env: { SCRIPT: await script("bash") } });
  expect(stdout).toBe("complete -o default -F _tulle tulle\n");
});

test.each(["zsh", "fish"])("%s can read its script", async (shell) => {
  const text = await script(shell);
  expect(text).toContain("uninstall");
  expect(text).toContain("image-pull-policy");
  const program = findProgram(shell);
  if (program === null) return console.log(`not checked: ${shell} is not installed`);
  const { code, stderr } = await run({ argv: [program, "-n"], stdin: text });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
