/** `tulle identity`: the certificate that a sidecar uses now. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatDuration } from "../../src/base/duration.ts";
import { errorText, UsageError } from "../../src/base/error.ts";
import { type Output, parseOutput, runCommand, teachingCommand } from "./_command.ts";
import { openCluster, withKubeOptions } from "./_kube_options.ts";
import { BUNDLE_KEY, BUNDLE_MOUNT } from "../core/cluster_names.ts";
import { MESH_PORT } from "../core/sidecar_ports.ts";
import { findPods, isAboutCluster, namespaceOf, type ScopeOptions } from "./cluster_targets.ts";
import { execInSidecar } from "./exec_in_sidecar.ts";
import { runInside } from "./find_mesh.ts";
import { type LiveCertificate, readLiveCertificate } from "./live_certificate.ts";
import { findTargets } from "./targets.ts";

/** Name of the roots' file in the state folder of `tulle up`. */
const BUNDLE_FILE = "trust-bundle.pem";

interface IdentityOptions extends ScopeOptions {
  readonly address?: readonly string[];
  readonly state?: string;
  readonly trustBundle?: string;
  readonly output: Output;
}

/** A certificate, or why there is none to show. */
export interface Answer {
  readonly workload: string;
  readonly certificate: LiveCertificate | null;
  readonly error: string;
}

/** Prints SPIFFE ID, validity, issuer and chain; exits with 1 when a certificate is missing or not trusted. */
export async function runIdentity(argv: readonly string[]): Promise<void> {
  const command = withKubeOptions(teachingCommand(
    "identity",
    "The certificate that a sidecar presents to its peers right now: SPIFFE ID, validity, issuer, chain, and whether " +
      "the mesh's roots trust it. It is read from a handshake, so it is what others see, not what was configured.",
    [
      "tulle identity                           all sidecars of the mesh that runs on this machine",
      "tulle identity front                     one workload's; front-0 for one instance",
      "tulle identity front-0 -o json           for a script",
      "tulle identity --address 10.77.0.12:4143 --trust-bundle roots.pem",
      "                                         any sidecar, judged by these roots",
      "tulle identity deploy/web -n shop        the pods of a Deployment of a cluster",
    ],
  ))
    .argument("[workloads...]", 'workloads or instances, such as "front", "shop/front" or "front-0.shop"; none: all')
    .option(
      "--address <address...>",
      `mesh ports to ask instead of looking for a mesh (port ${MESH_PORT} if none is given)`,
    )
    .option("--state <folder>", "state folder of the mesh that is meant, when several run")
    .option("--trust-bundle <file>", "PEM file with the roots to judge by; default: those of the mesh that was found")
    .option("-n, --namespace <name>", "a namespace of the cluster")
    .option("-A, --all-namespaces", "all namespaces of the cluster")
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action((words: string[], options: IdentityOptions) => show(argv, words, options));
  await runCommand(command, argv);
}

async function show(argv: readonly string[], words: readonly string[], options: IdentityOptions): Promise<void> {
  if (isAboutCluster(words, options)) return print(await askCluster(words, options), options, Date.now());
  const { mesh, proxies } = findTargets(options, words, MESH_PORT);
  const status = mesh === null ? null : await runInside(mesh, ["identity", ...argv]);
  if (status !== null) {
    process.exitCode = status;
    return;
  }
  const bundle = readBundle(options.trustBundle ?? (mesh === null ? null : join(mesh.stateFolder, BUNDLE_FILE)));
  const now = Date.now();
  const answers = await Promise.all(proxies.map(async ({ key, address, admin }): Promise<Answer> => {
    // A mesh that was found has its admin servers listed; an address that was given is the mesh port's.
    const port = mesh === null ? Number(new URL(admin).port) || 80 : MESH_PORT;
    try {
      return { workload: key, certificate: await readLiveCertificate(address, port, bundle, now), error: "" };
    } catch (error) {
      return { workload: key, certificate: null, error: errorText(error) };
    }
  }));
  print(answers, options, now);
}

function print(answers: readonly Answer[], options: IdentityOptions, now: number): void {
  if (options.output === "json") process.stdout.write(JSON.stringify(answers.map(plainAnswer), null, 2) + "\n");
  else process.stdout.write(answers.map((answer) => identityText(answer, now)).join("\n"));
  const isGood = answers.every(({ certificate }) => certificate !== null && certificate.trusted !== false);
  process.exitCode = isGood ? 0 : 1;
}

/** What is seen from beside each sidecar. */
async function askCluster(words: readonly string[], options: IdentityOptions): Promise<Answer[]> {
  const client = openCluster(options);
  const { pods } = await findPods(client, namespaceOf(client, options), words);
  const argv = ["identity", "--address", `127.0.0.1:${MESH_PORT}`, "--trust-bundle", `${BUNDLE_MOUNT}/${BUNDLE_KEY}`];
  return await Promise.all(pods.map(async (pod): Promise<Answer> => {
    const workload = `${pod.namespace}/${pod.name}`;
    try {
      const text = await execInSidecar(options, pod, [...argv, "-o", "json"]);
      const [answer] = JSON.parse(text) as (Partial<LiveCertificate> & { error?: string })[]; // our own binary's plainAnswer
      const { protocol = "", chain, trusted = null, reason = "", error = "" } = answer ?? {};
      return { workload, certificate: chain === undefined ? null : { protocol, chain, trusted, reason }, error };
    } catch (error) {
      if (error instanceof UsageError) throw error;
      return { workload, certificate: null, error: errorText(error) };
    }
  }));
}

function readBundle(file: string | null): string | null {
  if (file === null) return null;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the trust bundle: ${errorText(error)}`);
  }
}

function plainAnswer({ workload, certificate, error }: Answer): object {
  if (certificate === null) return { workload, error };
  const [leaf] = certificate.chain;
  const { protocol, chain, trusted, reason } = certificate;
  return { workload, spiffeId: leaf?.uris[0] ?? null, ...leaf, protocol, trusted, reason, chain };
}

/** The lines for one sidecar. @param now milliseconds since 1970 */
export function identityText({ workload, certificate, error }: Answer, now: number): string {
  const leaf = certificate?.chain[0];
  if (certificate === null || leaf === undefined) return `${workload}\n  no certificate: ${error}\n`;
  const lines = [
    ["identity", leaf.uris.join(", ") || "none"],
    ["names", leaf.dnsNames.join(", ") || "none"],
    ["valid from", `${leaf.notBefore}  ${relative(leaf.notBefore, now)}`],
    ["valid until", `${leaf.notAfter}  ${relative(leaf.notAfter, now)}`],
    ["issuer", leaf.issuer],
    ["serial", leaf.serial],
    ["key", leaf.key],
    ["sha-256", leaf.sha256],
    ["chain", certificate.chain.map((each) => each.subject || "leaf").join(" ← ")],
    [
      "trusted",
      certificate.trusted === null
        ? "not judged: no trust bundle"
        : certificate.trusted
        ? "yes"
        : `NO: ${certificate.reason}`,
    ],
  ];
  return `${workload}\n${lines.map(([name = "", value]) => `  ${name.padEnd(12)}${value}\n`).join("")}`;
}

/** "in 23h59m" or "2m ago", to the minute, or to the second below one. */
function relative(time: string, now: number): string {
  const ms = Math.abs(Date.parse(time) - now);
  const unit = ms < 60_000 ? 1000 : 60_000;
  const text = formatDuration(Math.floor(ms / unit) * unit);
  return Date.parse(time) >= now ? `in ${text}` : `${text} ago`;
}
