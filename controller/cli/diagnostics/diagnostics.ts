/** `tulle diagnostics`: what the parts of a mesh know, raw; and all of it in one file for whoever is to help. */
import { Argument } from "commander";
import { UsageError } from "../../../src/base/error.ts";
import { type Output, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { openCluster, withKubeOptions } from "../_kube_options.ts";
import { type ScopeOptions } from "../cluster_targets.ts";
import { writeBundle } from "./bundle.ts";
import { showEndpoints } from "./endpoints.ts";
import { showSidecars, type SidecarOptions } from "./sidecars.ts";

export interface DiagnosticsOptions extends ScopeOptions, SidecarOptions {
  readonly output: Output;
  readonly file?: string;
}

const SUBJECTS = ["config", "metrics", "endpoints", "bundle"] as const;
type Subject = typeof SUBJECTS[number];

/** @param argv arguments after "diagnostics" */
export async function runDiagnostics(argv: readonly string[]): Promise<void> {
  const command = withKubeOptions(teachingCommand(
    "diagnostics",
    "Show what the parts of a mesh know. Nothing of it holds a key, a token or a Secret.\n\n" +
      "  config     what a sidecar runs with: settings, certificate, what it was told of each target, connections\n" +
      "  metrics    a sidecar's metrics as Prometheus sees them\n" +
      "  endpoints  the endpoints of Services as the controller hands them out\n" +
      "  bundle     all of that, logs, events and the mesh's objects in one file, to be read before it is sent",
    [
      "tulle diagnostics config deploy/web -n shop",
      "tulle diagnostics metrics web-0                  of the mesh that runs on this machine",
      "tulle diagnostics endpoints -n shop              all Services of a namespace; -A: of all",
      "tulle diagnostics endpoints web -n shop -o json",
      "tulle diagnostics bundle -f tulle.tar.gz         of the whole mesh; -n shop: with the sidecars of one namespace",
    ],
  ))
    .addArgument(new Argument("<subject>", "what to show").choices([...SUBJECTS]))
    .argument("[names...]", "sidecars (kinds and names as for kubectl, or instances on this machine), or Services")
    .option("-n, --namespace <name>", "a namespace of the cluster")
    .option("-A, --all-namespaces", "all namespaces of the cluster")
    .option("--address <address...>", "admin servers of sidecars to ask instead of looking for a mesh")
    .option("--state <folder>", "state folder of the mesh that is meant, when several run")
    .option("-f, --file <file>", "of a bundle: where it goes (default: tulle-diagnostics-TIME.tar.gz)")
    .option("-o, --output <form>", "of endpoints: table or json", parseOutput, "table")
    .action((subject: Subject, names: string[], options: DiagnosticsOptions) => run(subject, names, options, argv));
  await runCommand(command, argv);
}

async function run(
  subject: Subject,
  names: readonly string[],
  options: DiagnosticsOptions,
  argv: readonly string[],
): Promise<void> {
  if (subject === "config" || subject === "metrics") return await showSidecars(subject, names, options, argv);
  if (options.address !== undefined || options.state !== undefined) {
    throw new UsageError(`diagnostics ${subject} is about a cluster: --address and --state do not fit`);
  }
  const client = openCluster(options);
  if (subject === "endpoints") return await showEndpoints(client, names, options);
  if (names.length > 0) throw new UsageError("diagnostics bundle takes no names: -n chooses the sidecars");
  await writeBundle(client, options);
}
