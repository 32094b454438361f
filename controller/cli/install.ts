/** `tulle install`: the objects of an installation as YAML, for `kubectl apply -f -`. */
import { Option } from "commander";
import { stringify } from "yaml";
import { VERSION } from "../../src/base/version.ts";
import { DEFAULT_POLICIES } from "../kube/resources.ts";
import { manifests } from "../manifests/manifests.ts";
import { defaultValues, type InstallValues } from "../manifests/values.ts";
import { runCommand, teachingCommand } from "./_command.ts";

const EXAMPLES = [
  "tulle install | kubectl apply --server-side -f -",
  "tulle install --image registry.example/tulle:1 --ha | kubectl apply --server-side -f -",
];

/** @param argv arguments after "install" */
export async function runInstall(argv: readonly string[]): Promise<void> {
  const defaults = defaultValues(VERSION);
  const command = teachingCommand("install", "Print the objects of an installation, for kubectl apply -f -.", EXAMPLES)
    .option("--image <image>", "image of all parts", defaults.image)
    .addOption(
      new Option("--image-pull-policy <policy>", "when the image is pulled")
        .choices(["Always", "IfNotPresent", "Never"]).default(defaults.imagePullPolicy),
    )
    .option("--ha", "two controllers on different nodes, with a disruption budget")
    .option("--trust-domain <name>", "trust domain of the identities", defaults.trustDomain)
    .option("--cluster-domain <name>", "end of the full names of Services", defaults.clusterDomain)
    .addOption(
      new Option("--default-inbound-policy <policy>", "who may call where no policy says it")
        .choices([...DEFAULT_POLICIES]).default(defaults.defaultInboundPolicy),
    )
    .option("--no-create-issuer", "the Secret tulle/issuer is made by cert-manager or by you")
    .action((options) => {
      const { ha, ...given } = options;
      const values: InstallValues = { ...defaults, ...given, controllerReplicas: ha === true ? 2 : 1 };
      process.stdout.write(manifests(values).map((manifest) => `---\n${stringify(manifest, YAML_FORM)}`).join(""));
    });
  await runCommand(command, argv);
}

/** No anchors, which kubectl understands and people do not; no folding, which changes with the width. */
const YAML_FORM = { aliasDuplicateObjects: false, lineWidth: 0 };
