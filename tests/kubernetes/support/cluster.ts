/** A real cluster for a test: started by the test bed, ended with the test. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { KubeClient } from "../../../controller/api/client.ts";
import { kubeconfigTarget } from "../../../controller/api/kube_target.ts";
import { type Finished, run } from "../../support/process.ts";
import { REPOSITORY, TEST_BED } from "./test_bed.ts";

/** A cluster starts in 6 s on a quiet machine, and its images are loaded in 10. */
const START_TIMEOUT_MS = 240_000;
const KUBECTL_TIMEOUT_MS = 120_000;

/** What the test bed says of a network that somebody else has: whatever runs beside the tests on this machine. */
const IN_USE = "is in use on this machine";
/** Networks that are tried before a test gives up. */
const NETWORKS = 10;

/** @param net such as "10.71" @returns it and the next ones, by tens so that clusters of one run do not meet */
function networksFrom(net: string): string[] {
  const [first, second = 0] = net.split(".").map(Number);
  return Array.from({ length: NETWORKS }, (_, at) => `${first}.${(second + 10 * at) % 256}`);
}

/** The image of every part, as the nodes know it. */
export const IMAGE = "tulle:test";
/** The same under the name of a later version. */
export const NEXT_IMAGE = "tulle:next";

export interface ClusterOptions {
  /** 1 to 6 lower-case letters; clusters of one machine differ in it. */
  readonly name: string;
  /** First two numbers of its addresses, such as "10.71", if they are free; else those of the next network that is. */
  readonly net: string;
  readonly nodes?: number;
  readonly dualStack?: boolean;
}

export class Cluster implements AsyncDisposable {
  readonly name: string;
  readonly kubeconfig: string;
  readonly client: KubeClient;
  readonly #bed: string;
  readonly #env: Record<string, string>;

  private constructor(name: string, bed: string, env: Record<string, string>) {
    this.name = name;
    this.#bed = bed;
    this.#env = env;
    this.kubeconfig = env["KUBECONFIG"] ?? "";
    this.client = new KubeClient(kubeconfigTarget({ file: this.kubeconfig, context: null }, env));
  }

  /** Starts a cluster with the mesh's image on its nodes. @throws Error with the test bed's words */
  static async start({ name, net, nodes = 1, dualStack = false }: ClusterOptions): Promise<Cluster> {
    const bed = TEST_BED;
    if (bed === null) throw new Error("there is no test bed: skip the test");
    await run({ argv: [join(bed, "down"), "--name", name], timeoutMs: START_TIMEOUT_MS }); // of a run that was cut off
    const flags = dualStack ? ["--dual-stack"] : [];
    let started: Finished | null = null;
    for (const one of networksFrom(net)) {
      const argv = [join(bed, "up"), "--name", name, "--net", one, ...flags, String(nodes)];
      started = await run({ argv, timeoutMs: START_TIMEOUT_MS });
      if (started.code === 0 || !started.stderr.includes(IN_USE)) break;
    }
    if (started?.code !== 0) throw new Error(`no cluster: ${started?.stderr.slice(-800)}`);
    const cluster = new Cluster(name, bed, readExports(started.stdout));
    const entry = ["--user", "2102", "--entrypoint", '["/usr/local/bin/tulle"]'];
    await cluster.makeImage([IMAGE, NEXT_IMAGE], [...entry, `${binary()}=/usr/local/bin/tulle`]);
    return cluster;
  }

  /** Runs kubectl. @returns its output @throws Error with its words when it fails */
  async kubectl(args: readonly string[], input = ""): Promise<string> {
    const finished = await this.try(args, input);
    if (finished.code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${finished.stderr.slice(-800)}`);
    return finished.stdout;
  }

  /** Runs kubectl, whatever it says. */
  async try(args: readonly string[], input = ""): Promise<Finished> {
    const argv = [this.program("kubectl"), ...args];
    return await run({ argv, env: this.#env, stdin: input, timeoutMs: KUBECTL_TIMEOUT_MS });
  }

  /** Path of `tulle`. */
  readonly binary = binary();

  /** Path of a program of the test bed, such as "kubectl". */
  program(name: string): string {
    return Bun.which(name, { PATH: this.#env["PATH"] ?? "" }) ?? name;
  }

  /** Applies manifests in YAML. */
  async apply(yaml: string): Promise<void> {
    await this.kubectl(["apply", "--server-side", "-f", "-"], yaml);
  }

  /** Runs `tulle` against this cluster. */
  async tulle(args: readonly string[], input = ""): Promise<Finished> {
    return await run({ argv: [binary(), ...args], env: this.#env, stdin: input, timeoutMs: KUBECTL_TIMEOUT_MS });
  }

  /** Runs a command inside a node, such as ["nft", "list", "ruleset"]. */
  async enter(node: string, argv: readonly string[]): Promise<string> {
    const finished = await run({
      argv: [join(this.#bed, "enter"), "--name", this.name, node, ...argv],
      timeoutMs: 60_000,
    });
    if (finished.code !== 0) throw new Error(`${node}: ${argv.join(" ")}: ${finished.stderr.slice(-400)}`);
    return finished.stdout;
  }

  /** Defines the kinds of the Gateway API, as the test bed has them. */
  async installGatewayApi(): Promise<void> {
    const { code, stdout, stderr } = await run({ argv: [join(this.#bed, "load"), "--file", "echo-basic"] });
    if (code !== 0) throw new Error(`no Gateway API: ${stderr}`);
    await this.kubectl(["apply", "--server-side", "-f", join(dirname(stdout.trim()), "../experimental")]);
  }

  /** Puts images of the test bed onto the nodes: "deb", "echo-basic". */
  async load(...images: readonly string[]): Promise<void> {
    await this.#loadOnto("all", images);
  }

  /**
   * Makes an image of files of this machine, on top of the test bed's "deb", and puts it onto nodes.
   *
   * @param names "app:1", several names of one image between commas
   * @param args of mkimage.py: options, and SOURCE=TARGET for each file or folder
   * @param nodes "all", or the name of one
   */
  async makeImage(names: readonly string[], args: readonly string[], nodes = "all"): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "tulle-image-"));
    try {
      const archive = join(folder, "image.tar");
      const full = names.map((name) => `docker.io/library/${name}`).join(",");
      const made = await run({
        argv: [join(this.#bed, "mkimage.py"), archive, full, "--base", "deb", ...args],
        timeoutMs: START_TIMEOUT_MS,
      });
      if (made.code !== 0) throw new Error(`no image ${names.join()}: ${made.stderr.slice(-400)}`);
      await this.#loadOnto(nodes, [archive]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run({ argv: [join(this.#bed, "down"), "--name", this.name], timeoutMs: START_TIMEOUT_MS });
  }

  async #loadOnto(nodes: string, images: readonly string[]): Promise<void> {
    const argv = [join(this.#bed, "load"), "--name", this.name, nodes, ...images];
    const finished = await run({ argv, timeoutMs: START_TIMEOUT_MS });
    if (finished.code !== 0) throw new Error(`load ${images.join(" ")}: ${finished.stderr.slice(-400)}`);
  }
}

/** The compiled binary: what runs in a cluster is never the source. */
function binary(): string {
  const path = process.env["TULLE_BINARY"] ?? join(REPOSITORY, "dist/tulle");
  if (!existsSync(path)) throw new Error(`${path} is not there: run deno task build`);
  return path;
}

/** Variables that `up` prints for a shell to set. */
function readExports(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [, name = "", quoted, plain] of text.matchAll(/([A-Z_]+)=(?:"([^"]*)"|'[^']*'|([^\s;]*))/g)) {
    env[name] = (quoted ?? plain ?? "").replace("$PATH", process.env["PATH"] ?? "").replace(/^'|'$/g, "");
  }
  return env;
}
