/** `tulle inject` and `tulle uninject`: manifests in, manifests with or without sidecars out. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseAllDocuments, stringify } from "yaml";
import { UsageError } from "../../src/base/error.ts";
import { VERSION } from "../../src/base/version.ts";
import { applyPatch } from "../inject/apply_patch.ts";
import { injectPod } from "../inject/inject.ts";
import type { PodTemplate } from "../inject/pod.ts";
import { readSettings } from "../inject/settings.ts";
import { uninjectPod } from "../inject/uninject.ts";
import { judgePod } from "../inject/verdict.ts";
import { templateOf, type WorkloadTemplate } from "../inject/workload.ts";
import { DEFAULT_SIDECAR, sidecarDefaults } from "./_sidecar_defaults.ts";
import { collect, runCommand, teachingCommand } from "./_command.ts";

const STDIN = 0;

/** @param argv arguments after "inject" */
export async function runInject(argv: readonly string[]): Promise<void> {
  const summary = "Add the sidecar to the workloads of manifests: what the webhook does, done by hand.";
  const command = files(teachingCommand("inject", summary, [
    "tulle inject -f deployment.yaml | kubectl apply -f -",
    "kubectl get deploy -n shop -o yaml | tulle inject -f - | kubectl apply -f -",
  ]))
    .option("--sidecar <annotation=value>", "setting where no annotation says it, such as proxy-image=tulle:1", collect)
    .action(({ filename, sidecar = [] }: { filename: readonly string[]; sidecar?: readonly string[] }) => {
      const { settings, warnings } = readSettings(sidecarDefaults(sidecar), {}, DEFAULT_SIDECAR);
      if (warnings.length > 0) throw new UsageError(`--sidecar: ${warnings.join("; ")}`);
      print(filename, (manifest, { pod, root }) => {
        // Who pipes a manifest through here wants a sidecar, whatever its namespace says.
        const verdict = judgePod(pod, { annotations: { "tulle.dev/inject": "enabled" }, labels: {} });
        if (verdict.kind !== "inject") return tell(manifest, `left as it is: ${verdict.reason}`);
        const { patch, warnings } = injectPod(pod, { annotations: {} }, { defaults: settings, version: VERSION }, root);
        for (const warning of warnings) tell(manifest, warning);
        tell(manifest, "injected");
        return applyPatch(manifest, patch);
      });
    });
  await runCommand(command, argv);
}

/** @param argv arguments after "uninject" */
export async function runUninject(argv: readonly string[]): Promise<void> {
  const summary = "Take the sidecar out of the workloads of manifests.";
  const command = files(teachingCommand("uninject", summary, [
    "kubectl get deploy -n shop -o yaml | tulle uninject -f - | kubectl apply -f -",
  ])).action(({ filename }: { filename: readonly string[] }) => {
    print(filename, (manifest, { pod, root }) => {
      const plain = uninjectPod(pod);
      if (plain === null) return tell(manifest, "left as it is: it has no sidecar");
      tell(manifest, "uninjected");
      return replaceTemplate(manifest, root, plain);
    });
  });
  await runCommand(command, argv);
}

function files(command: Command): Command {
  return command.requiredOption(
    "-f, --filename <file>",
    "manifests, - for standard input; may be given again",
    collect,
  );
}

/** Prints all documents, those that make pods as `change` gives them; null leaves one as it is. */
function print(
  names: readonly string[],
  change: (manifest: Manifest, template: WorkloadTemplate) => Manifest | null,
): void {
  for (const name of names) {
    let text: string;
    try {
      text = readFileSync(name === "-" ? STDIN : name, "utf8");
    } catch {
      throw new UsageError(`${name} cannot be read: does it exist?`);
    }
    for (const document of parseAllDocuments(text)) {
      if (document.errors[0] !== undefined) throw new UsageError(`${name}: ${document.errors[0].message}`);
      const value: unknown = document.toJS();
      if (value === null || value === undefined) continue;
      process.stdout.write(`---\n${stringify(changeAll(value as Manifest, change), FORM)}`); // checked by templateOf
    }
  }
}

type Manifest = Readonly<Record<string, unknown>>;

const FORM = { aliasDuplicateObjects: false, lineWidth: 0 };

/** Goes into lists as kubectl get prints them. */
function changeAll(
  manifest: Manifest,
  change: (manifest: Manifest, template: WorkloadTemplate) => Manifest | null,
): Manifest {
  if (Array.isArray(manifest["items"])) {
    return { ...manifest, items: manifest["items"].map((item) => changeAll(item as Manifest, change)) };
  }
  const template = templateOf(manifest);
  return template === null ? manifest : change(manifest, template) ?? manifest;
}

function replaceTemplate(manifest: Manifest, root: string, pod: PodTemplate): Manifest {
  if (root === "") return { ...manifest, ...pod };
  return applyPatch(manifest, [{ op: "replace", path: root, value: pod }]);
}

function tell(manifest: Manifest, what: string): null {
  const name = (manifest["metadata"] as { name?: string } | undefined)?.name ?? "";
  process.stderr.write(`${String(manifest["kind"]).toLowerCase()}/${name}: ${what}\n`);
  return null;
}
