/** `tulle check`: whether the cluster, the control plane and the data plane are well, each finding with its fix. */
import { type Output, parseDurationOption, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "../_kube_options.ts";
import type { KubeClient } from "../../api/client.ts";
import { checkCluster } from "./cluster_checks.ts";
import { checkControlPlane } from "./control_plane_checks.ts";
import { checkDataPlane } from "./data_plane_checks.ts";
import { type Finding, renderFindings } from "./finding.ts";

interface CheckOptions extends KubeOptions {
  readonly pre?: true;
  readonly namespace?: string;
  readonly wait: number;
  readonly output: Output;
}

/** Wait between two looks with --wait, milliseconds. */
const RETRY_MS = 1000;

/** Ends with 1 when there is an error. @param argv arguments after "check" */
export async function runCheck(argv: readonly string[]): Promise<void> {
  const command = withKubeOptions(teachingCommand(
    "check",
    "Look at the cluster, the control plane and the sidecars, and say what is wrong and what to do.",
    [
      "tulle check --pre          can this cluster carry the mesh, and may I install it?",
      "tulle check                everything",
      "tulle check -n shop        with the pods of one namespace only",
      "tulle check --wait 60s     until there is no error any more, such as right after an install",
    ],
  ))
    .option("--pre", "before an install")
    .option("-n, --namespace <name>", "pods of this namespace only")
    .option("--wait <time>", "how long to wait for errors to go", parseDurationOption, 0)
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(async (options: CheckOptions) => {
      const client = openCluster(options);
      const deadline = performance.now() + options.wait;
      let findings = await look(client, options);
      while (hasError(findings) && performance.now() < deadline) {
        await Bun.sleep(RETRY_MS);
        findings = await look(client, options);
      }
      process.stdout.write(options.output === "json" ? `${JSON.stringify({ findings })}\n` : renderFindings(findings));
      process.exitCode = hasError(findings) ? 1 : 0;
    });
  await runCommand(command, argv);
}

function hasError(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === "error");
}

async function look(client: KubeClient, options: CheckOptions): Promise<readonly Finding[]> {
  if (options.pre === true) return (await checkCluster(client, true)).findings;
  return await allFindings(client, options.namespace ?? null);
}

/** Everything but the state before an install. @param namespace of the pods; null: all @throws ApiError */
export async function allFindings(client: KubeClient, namespace: string | null): Promise<readonly Finding[]> {
  const { findings } = await checkCluster(client, false);
  const answers = findings[0]?.severity === "ok";
  return answers ? [...findings, ...await meshFindings(client, namespace)] : findings;
}

async function meshFindings(client: KubeClient, namespace: string | null): Promise<readonly Finding[]> {
  const { section, bundlePem } = await checkControlPlane(client, Date.now());
  if (section.findings.length === 1) return section.findings; // it is not installed
  const pods = await checkDataPlane(client, namespace, bundlePem, Date.now());
  return [...section.findings, ...pods.findings];
}
