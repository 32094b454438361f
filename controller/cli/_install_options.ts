/** Options of `tulle install` and `tulle upgrade` that give values, and the values they give. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { parse } from "yaml";
import { errorText, UsageError } from "../../src/base/error.ts";
import { readSettings } from "../inject/settings.ts";
import { DEFAULT_POLICIES } from "../kube/resources.ts";
import { customResourceDefinitions } from "../manifests/crds.ts";
import { type Manifest, manifests } from "../manifests/manifests.ts";
import { mergeValues, setValue } from "../manifests/read_values.ts";
import { recordValues } from "../manifests/record.ts";
import type { InstallValues } from "../manifests/values.ts";
import { collect } from "./_command.ts";
import { DEFAULT_SIDECAR, sidecarDefaults } from "./_sidecar_defaults.ts";

const STDIN = 0;

/** What the command line said; absent: not given. */
export interface InstallOptions {
  readonly values?: readonly string[];
  readonly set?: readonly string[];
  readonly ha?: true;
  readonly skipCrds?: true;
  readonly crdsOnly?: true;
  /** False when --no-create-issuer was given, otherwise true. */
  readonly createIssuer: boolean;
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly trustDomain?: string;
  readonly clusterDomain?: string;
  readonly defaultInboundPolicy?: string;
}

/** Options that have a value's name. */
const DIRECT = ["image", "imagePullPolicy", "trustDomain", "clusterDomain", "defaultInboundPolicy"] as const;

/** Adds the options. */
export function withInstallOptions(command: Command, defaults: InstallValues): Command {
  return command
    .option("-f, --values <file>", "YAML with values, - for standard input; may be given again", collect)
    .option("--set <key=value>", "one value, such as podMonitor.enabled=true; may be given again", collect)
    .option("--image <image>", `image of all parts (default: ${defaults.image})`)
    .addOption(
      new Option("--image-pull-policy <policy>", "when the image is pulled").choices([
        "Always",
        "IfNotPresent",
        "Never",
      ]),
    )
    .option("--ha", "two controllers on different nodes, with a disruption budget")
    .option("--trust-domain <name>", `trust domain of the identities (default: ${defaults.trustDomain})`)
    .option("--cluster-domain <name>", `end of the full names of Services (default: ${defaults.clusterDomain})`)
    .addOption(
      new Option("--default-inbound-policy <policy>", "who may call where no policy says it")
        .choices([...DEFAULT_POLICIES]),
    )
    .option("--no-create-issuer", "the Secret tulle/issuer is made by cert-manager or by you")
    .option("--skip-crds", "without the definitions of our kinds")
    .addOption(new Option("--crds-only", "the definitions of our kinds alone").conflicts("skipCrds"));
}

/** The values that hold: files first, then --set, then the options with names of their own. @throws UsageError */
export function valuesFrom(base: InstallValues, options: InstallOptions): InstallValues {
  let values = base;
  for (const file of options.values ?? []) values = mergeValues(values, readYaml(file), file);
  for (const assignment of options.set ?? []) values = setValue(values, assignment);
  const direct = DIRECT.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]] as const]);
  values = mergeValues(values, Object.fromEntries(direct), "the command line");
  if (options.ha === true) values = { ...values, controllerReplicas: Math.max(2, values.controllerReplicas) };
  if (!options.createIssuer) values = { ...values, createIssuer: false };
  if (options.skipCrds === true) values = { ...values, installCrds: false };
  const { warnings } = readSettings(sidecarDefaults(asPairs(values.sidecar)), {}, DEFAULT_SIDECAR);
  // Written for pods, whose values are ignored where they are wrong; here nothing is.
  const wrong = warnings.map((warning) => warning.replace(" of the pod", "").replace(" (ignored)", ""));
  if (wrong.length > 0) throw new UsageError(`the value sidecar: ${wrong.join("; ")}`);
  return values;
}

/** The objects to print, the values kept among them. */
export function objectsFor(values: InstallValues, options: InstallOptions): readonly Manifest[] {
  return options.crdsOnly === true ? customResourceDefinitions(values) : recordValues(manifests(values), values);
}

function asPairs(sidecar: Readonly<Record<string, string>>): string[] {
  return Object.entries(sidecar).map(([key, value]) => `${key}=${value}`);
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file === "-" ? STDIN : file, "utf8");
  } catch {
    throw new UsageError(`${file} cannot be read: does it exist?`);
  }
  try {
    return parse(text) ?? {};
  } catch (error) {
    throw new UsageError(`${file}: ${errorText(error)}`);
  }
}
