/** `tulle ca`: the mesh's certificate authority. */
import { readFileSync } from "node:fs";
import { errorText, UsageError } from "../../../src/base/error.ts";
import { createRoot, type IssuerMaterial, readIssuer } from "../../issuer/issuer.ts";
import { parseDurationOption, runCommand, teachingCommand } from "../_command.ts";
import { type KubeOptions, openCluster, withKubeOptions } from "../_kube_options.ts";
import { rotateRoot } from "./rotation.ts";

interface RotateOptions extends KubeOptions {
  readonly trustDomain: string;
  readonly cert?: string;
  readonly key?: string;
  readonly root?: string;
  readonly timeout: number;
}

/** @param argv arguments after "ca" */
export async function runCa(argv: readonly string[]): Promise<void> {
  const [verb, ...rest] = argv;
  if (verb !== "rotate" && verb !== "--help" && verb !== "-h") {
    throw new UsageError(
      `found ${verb === undefined ? "nothing" : `"${verb}"`}, want: tulle ca rotate. See: tulle ca rotate --help`,
    );
  }
  const command = withKubeOptions(teachingCommand(
    "ca rotate",
    "Exchange the root of a running mesh: trust the new one, sign with it, distrust the old one. Each step waits for every " +
      "sidecar; no pod is restarted, and no request fails. Cut off, it goes on where it was when it is run again.",
    [
      "tulle ca rotate                                            a new root that the mesh makes itself",
      "tulle ca rotate --cert ca.pem --key ca-key.pem             your own root",
      "tulle ca rotate --cert issuer.pem --key key.pem --root root.pem   your own intermediate",
    ],
  ))
    .option("--trust-domain <name>", "trust domain of the identities", "cluster.local")
    .option("--cert <file>", "certificate of the new issuer, PEM")
    .option("--key <file>", "its key: ECDSA on P-256, PEM")
    .option("--root <file>", "its root, when the issuer is none itself")
    .option("--timeout <time>", "longest wait of a step", parseDurationOption, 300_000)
    .action(async (options: RotateOptions) => {
      const isTerminal = process.stderr.isTTY === true;
      const since = performance.now();
      const result = await rotateRoot({
        client: openCluster(options),
        makeIssuer: () => makeIssuer(options),
        timeoutMs: options.timeout,
        onStep: (text) => process.stderr.write(`${isTerminal ? "\r\x1b[K" : ""}${text}\n`),
        onProgress: (done, of) => void (isTerminal && process.stderr.write(`\r\x1b[K  ${done} of ${of} sidecars`)),
      });
      const seconds = ((performance.now() - since) / 1000).toFixed(1);
      if (isTerminal) process.stderr.write("\r\x1b[K");
      process.stdout.write(
        `rotated from root ${result.oldRoot} to ${result.newRoot}: ${result.sidecars} sidecars in ${seconds} s\n`,
      );
    });
  await runCommand(command, verb === "rotate" ? rest : ["--help"]);
}

async function makeIssuer(options: RotateOptions): Promise<IssuerMaterial> {
  const { cert, key, root, trustDomain } = options;
  if (cert === undefined && key === undefined) return await createRoot(trustDomain, Date.now());
  if (cert === undefined || key === undefined) throw new UsageError("want both --cert and --key, or neither");
  try {
    const material = {
      keyPem: readFileSync(key, "utf8"),
      certificatePem: readFileSync(cert, "utf8"),
      rootPem: root === undefined ? "" : readFileSync(root, "utf8"),
    };
    await readIssuer(material, Date.now());
    return material;
  } catch (error) {
    throw new UsageError(errorText(error));
  }
}
