/** `tulle install`: the objects of an installation as YAML, for `kubectl apply -f -`. */
import { VERSION } from "../../src/base/version.ts";
import { printManifests } from "../manifests/print.ts";
import { defaultValues } from "../manifests/values.ts";
import { runCommand, teachingCommand } from "./_command.ts";
import { type InstallOptions, objectsFor, valuesFrom, withInstallOptions } from "./_install_options.ts";

const EXAMPLES = [
  "tulle install | kubectl apply --server-side -f -",
  "tulle install --image registry.example/tulle:1 --ha | kubectl apply --server-side -f -",
  "tulle install --set podMonitor.enabled=true --set sidecar.access-log=json | kubectl apply --server-side -f -",
  "tulle install -f values.yaml | kubectl apply --server-side -f -        (values: those of the Helm chart)",
];

/** @param argv arguments after "install" */
export async function runInstall(argv: readonly string[]): Promise<void> {
  const defaults = defaultValues(VERSION);
  const summary = "Print the objects of an installation, for kubectl apply -f -.";
  const command = withInstallOptions(teachingCommand("install", summary, EXAMPLES), defaults)
    .action((options: InstallOptions) => {
      process.stdout.write(printManifests(objectsFor(valuesFrom(defaults, options), options)));
    });
  await runCommand(command, argv);
}
