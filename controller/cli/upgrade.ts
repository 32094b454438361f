/** `tulle upgrade`: the objects of this version with the values of the installed one, for `kubectl apply -f -`. */
import { UsageError } from "../../src/base/error.ts";
import { VERSION } from "../../src/base/version.ts";
import { printManifests } from "../manifests/print.ts";
import { mergeValues } from "../manifests/read_values.ts";
import { defaultValues, type InstallValues } from "../manifests/values.ts";
import { findPods } from "./cluster_targets.ts";
import { runCommand, teachingCommand } from "./_command.ts";
import { type InstallOptions, objectsFor, valuesFrom, withInstallOptions } from "./_install_options.ts";
import { findInstalled, type Installed, refuseHelm } from "./_installed.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "./_kube_options.ts";
import { restartLines } from "./_meshed_workloads.ts";

const EXAMPLES = [
  "tulle upgrade | kubectl apply --server-side -f -",
  "tulle upgrade --set controllerReplicas=2 | kubectl apply --server-side -f -        (another value on the way)",
];

/** @param argv arguments after "upgrade" */
export async function runUpgrade(argv: readonly string[]): Promise<void> {
  const summary = "Print the objects of this version with the installed values, for kubectl apply -f -.";
  const command = withKubeOptions(
    withInstallOptions(teachingCommand("upgrade", summary, EXAMPLES), defaultValues(VERSION)),
  )
    .option("--force", "also to an older version, or to another trust domain")
    .action(async (options: InstallOptions & KubeOptions & { readonly force?: true }) => {
      const client = openCluster(options);
      await refuseHelm(client, "upgrade");
      const installed = await findInstalled(client);
      if (installed === null) {
        throw new UsageError("the mesh is not installed: tulle install | kubectl apply --server-side -f -");
      }
      const before = keptValues(installed, VERSION);
      const values = valuesFrom(before, options);
      if (options.force !== true) refuse(installed, before, values);
      const meshed = (await findPods(client, null, [])).pods;
      process.stderr.write(adviceText(installed, values, restartLines(meshed)));
      process.stdout.write(printManifests(objectsFor(values, options)));
    });
  await runCommand(command, argv);
}

/** The installed values under another version; the image goes along when its tag is the installed version. */
export function keptValues({ version, values }: Installed, to: string): InstallValues {
  const { image, ...rest } = values;
  const base = mergeValues(defaultValues(to), rest, "the installed values");
  if (typeof image !== "string") return base;
  return { ...base, image: image.endsWith(`:${version}`) ? `${image.slice(0, -version.length)}${to}` : image };
}

function refuse({ version }: Installed, before: InstallValues, values: InstallValues): void {
  if (compareVersions(version, values.version) > 0) {
    throw new UsageError(
      `version ${version} is installed, and this is ${values.version}: take a newer tulle, or say --force`,
    );
  }
  if (before.trustDomain !== values.trustDomain) {
    throw new UsageError(
      `the trust domain is ${before.trustDomain}; with another one running sidecars are strangers: say --force if that is meant`,
    );
  }
}

/** By numbers; what is behind a "-" comes before the version itself. @returns below, above or 0 as in sort() */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => {
    const [numbers = "", early] = text.split("-", 2);
    return [...numbers.split(".").map(Number), early === undefined ? 1 : 0];
  }) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function adviceText(installed: Installed, values: InstallValues, restarts: readonly string[]): string {
  const lines = [`${installed.version} → ${values.version}, image ${installed.image} → ${values.image}`];
  if (installed.image === values.image && installed.version !== values.version) {
    lines.push("the image stays what it was: give another one with --image");
  }
  if (installed.image !== values.image && restarts.length > 0) {
    lines.push("pods keep the sidecar that they have; once the upgrade is applied, restart them:");
    lines.push(...restarts.map((line) => `  ${line}`));
  }
  return lines.map((line) => `${line}\n`).join("");
}
