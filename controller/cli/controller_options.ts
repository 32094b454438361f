/** Command line of `tulle controller`. */
import { CommanderError, InvalidArgumentError, Option } from "commander";
import { EXIT_USAGE } from "../../src/base/error.ts";
import { LOG_LEVELS, type LogLevel } from "../../src/base/log.ts";
import { canonicalCidr } from "../core/ip.ts";
import type { DefaultPolicy } from "../core/snapshot.ts";
import type { IndexOptions } from "../index/world.ts";
import { readSettings, type SidecarSettings } from "../inject/settings.ts";
import { DEFAULT_POLICIES } from "../kube/resources.ts";
import { collect, parseDurationOption, teachingCommand } from "./_command.ts";
import { type Endpoint, parseAddress } from "./_endpoint.ts";
import { DEFAULT_SIDECAR, sidecarDefaults } from "./_sidecar_defaults.ts";

export type { Endpoint } from "./_endpoint.ts";

export interface ControllerOptions {
  /** The cluster to follow; null: folders. */
  readonly cluster: { readonly kubeconfig: string | null; readonly context: string | null } | null;
  readonly configDir: readonly string[];
  readonly listen: Endpoint;
  readonly admin: Endpoint;
  /** Where the API server's admission reviews arrive; null: nobody is injected. */
  readonly webhook: Endpoint | null;
  /** Sidecars where no annotation says otherwise. */
  readonly sidecar: SidecarSettings;
  /** Folder of the issuer; "" in a cluster, which keeps it in a Secret. */
  readonly stateDir: string;
  /** Whether the issuer's Secret is made when it is missing. */
  readonly createIssuer: boolean;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** null: no proxy can get a certificate. */
  readonly tokens: string | null;
  readonly addresses: string | null;
  readonly leafLifetimeMs: number;
  readonly defaultInboundPolicy: DefaultPolicy;
  readonly clusterNetworks: readonly string[];
  readonly probeNetworks: readonly string[];
  readonly logLevel: LogLevel;
}

/** "Inside the cluster" unless said otherwise: private networks (RFC 1918, RFC 6598, RFC 4193). */
const CLUSTER_NETWORKS = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8";

/** A kubelet asks from an address of its node that only the network plugin knows. */
const PROBE_NETWORKS = "0.0.0.0/0,::/0";

/** Leaves shorter than this expire while they travel, milliseconds. */
const MIN_LEAF_LIFETIME_MS = 2000;

const EXAMPLES = [
  "tulle controller --config-dir mesh/ --state-dir /var/lib/tulle --tokens tokens.json",
  "tulle controller --config-dir mesh/ --config-dir policies/ --state-dir state --tokens tokens.json --listen [::]:8086",
  "tulle controller --kubernetes --listen [::]:8086",
];

const NOTES = `
With --kubernetes everything comes from the API server. Otherwise the folders hold Kubernetes YAML: Service, EndpointSlice, HTTPRoute, GRPCRoute, Server, AuthorizationPolicy,
MeshTLSAuthentication, NetworkAuthentication, ExternalWorkload, Namespace, ServiceAccount. Changes are followed; a file with
a mistake is refused as a whole, its last good state stays, and /config on the admin port says what is wrong.`;

/**
 * Parses the command line.
 * @returns null when it was a question (--help) that has been answered, or a mistake that has been explained on stderr
 */
export function parseOptions(argv: readonly string[]): ControllerOptions | null {
  const summary = "Turn a cluster, or a folder of Kubernetes YAML, into certificates, routes and policies for proxies.";
  const command = teachingCommand("controller", summary, EXAMPLES)
    .option("--config-dir <folder>", "folder of YAML files; may be given again", collect)
    .option("--kubernetes", "follow a cluster instead: the one of the pod, or of the kubeconfig")
    .option("--kubeconfig <file>", "with --kubernetes: how to reach the cluster; in a pod it is not needed")
    .option("--context <name>", "with --kubernetes: context of the kubeconfig")
    .option(
      "--state-dir <folder>",
      "with --config-dir: where the root certificate and its key are kept; made when missing",
    )
    .option("--no-create-issuer", "with --kubernetes: wait for the issuer's Secret, which cert-manager or you make")
    .addOption(valueOption("--listen <address>", "where proxies connect", parseAddress, "127.0.0.1:8086"))
    .addOption(valueOption("--admin <address>", "/metrics /ready /live /config", parseAddress, "127.0.0.1:9990"))
    .addOption(
      new Option("--webhook <address>", "with --kubernetes: where the API server asks for sidecars").argParser(
        parseAddress,
      ),
    )
    .option(
      "--sidecar <annotation=value>",
      "setting of sidecars where no annotation says it, such as tulle.dev/proxy-image=tulle:1; may be given again",
      collect,
    )
    .option("--trust-domain <name>", "trust domain of the identities", parseDomain, "cluster.local")
    .option("--cluster-domain <name>", "end of the full names of Services", parseDomain, "cluster.local")
    .option("--tokens <file>", "JSON: sha256 of each join token, and whom it stands for")
    .option("--addresses <file>", "JSON: addresses given to workloads and Services that name none")
    .addOption(valueOption("--leaf-lifetime <duration>", "life of the certificates of proxies", parseLifetime, "24h"))
    .addOption(
      valueOption(
        "--cluster-networks <list>",
        "what cluster-* policies count as inside",
        parseNetworks,
        CLUSTER_NETWORKS,
      ),
    )
    .addOption(
      valueOption("--probe-networks <list>", "whence probes of kubelets may come", parseNetworks, PROBE_NETWORKS),
    )
    .addOption(
      new Option("--default-inbound-policy <policy>", "where no annotation says it")
        .choices([...DEFAULT_POLICIES]).default("all-unauthenticated"),
    )
    .addOption(new Option("--log-level <level>", "least level that is logged").choices([...LOG_LEVELS]).default("info"))
    .addHelpText("after", NOTES);
  try {
    command.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    return null;
  }
  const values = command.opts();
  const isCluster = values.kubernetes === true;
  const configDir: readonly string[] = values.configDir ?? [];
  const wrong = isCluster === configDir.length > 0
    ? "want either --config-dir or --kubernetes"
    : !isCluster && values.stateDir === undefined
    ? "want --state-dir beside --config-dir"
    : "";
  const { settings: sidecar, warnings } = readSettings(sidecarDefaults(values.sidecar ?? []), {}, DEFAULT_SIDECAR);
  for (const warning of warnings) process.stderr.write(`tulle controller: --sidecar: ${warning}\n`);
  if (warnings.length > 0) {
    process.exitCode = EXIT_USAGE;
    return null;
  }
  if (wrong !== "") {
    process.stderr.write(`tulle controller: ${wrong} (see: tulle controller --help)\n`);
    process.exitCode = EXIT_USAGE;
    return null;
  }
  return {
    cluster: isCluster ? { kubeconfig: values.kubeconfig ?? null, context: values.context ?? null } : null,
    configDir,
    listen: values.listen,
    admin: values.admin,
    webhook: values.webhook ?? null,
    sidecar,
    stateDir: values.stateDir ?? "",
    createIssuer: values.createIssuer,
    trustDomain: values.trustDomain,
    clusterDomain: values.clusterDomain,
    tokens: values.tokens ?? null,
    addresses: values.addresses ?? null,
    leafLifetimeMs: values.leafLifetime,
    defaultInboundPolicy: values.defaultInboundPolicy,
    clusterNetworks: values.clusterNetworks,
    probeNetworks: values.probeNetworks,
    logLevel: values.logLevel,
  };
}

/** What of it the index needs. */
export function indexOptions(options: ControllerOptions): IndexOptions {
  return {
    trustDomain: options.trustDomain,
    clusterDomain: options.clusterDomain,
    clusterNetworks: options.clusterNetworks,
    probeNetworks: options.probeNetworks,
    defaultPolicy: options.defaultInboundPolicy,
    injectByDefault: options.cluster === null,
  };
}

/** An option whose default is shown as it would be typed. */
function valueOption<T>(flags: string, description: string, parse: (text: string) => T, standard: string): Option {
  return new Option(flags, description).argParser(parse).default(parse(standard), standard);
}

function parseDomain(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text) && text.length <= 253) return text;
  throw new InvalidArgumentError(`found "${text}", want a domain in lower case, such as cluster.local.`);
}

function parseLifetime(text: string): number {
  const ms = parseDurationOption(text);
  if (ms >= MIN_LEAF_LIFETIME_MS) return ms;
  throw new InvalidArgumentError(`found "${text}", want at least ${MIN_LEAF_LIFETIME_MS}ms.`);
}

function parseNetworks(text: string): readonly string[] {
  return text.split(",").filter((part) => part.trim() !== "").map((part) => {
    const cidr = canonicalCidr(part.trim());
    if (cidr === null) {
      throw new InvalidArgumentError(`found "${part}", want networks such as 10.0.0.0/8 between commas.`);
    }
    return cidr;
  });
}
