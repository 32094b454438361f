/** Command line of `tulle up`. */
import { Command, CommanderError, Option } from "commander";
import { DURATION_FORM, parseDuration } from "../../../src/base/duration.ts";
import { UsageError } from "../../../src/base/error.ts";

export interface UpOptions {
  /** Folders of YAML as written, at least one. */
  readonly folders: readonly string[];
  /** Ends by itself after this time, counted from "everything is ready"; null runs until Ctrl-C. */
  readonly forMs: number | null;
  readonly output: "table" | "json";
  readonly intervalMs: number;
  /** File of claims to check; the exit status says whether all hold. null: nothing is checked. */
  readonly proveFile: string | null;
  /** Share of successful requests, in percent, that --prove demands of the client's view. */
  readonly minSuccessPercent: number;
  readonly rootless: boolean;
  /** Leave logs and state in the state folder. */
  readonly keepState: boolean;
  readonly trustDomain: string;
  /** Lifetime of certificates as given, handed to the controller; null: its default. */
  readonly leafLifetime: string | null;
  /** Access log of every proxy, to its log file. */
  readonly accessLog: boolean;
}

/** Shortest interval of the table: below it, scraping is what one measures. */
const MIN_INTERVAL_MS = 200;

const EXAMPLE = `
Example: two programs, one file, no change to either.

  mesh/shop.yaml
    apiVersion: workload.tulle.dev/v1alpha1
    kind: ExternalWorkload
    metadata: { name: web, namespace: shop, labels: { app: web } }
    spec:
      ports: [{ name: http, port: 8000 }]
      run:
        replicas: 2
        command: ["python3", "-m", "http.server", "8000"]
    ---
    apiVersion: v1
    kind: Service
    metadata: { name: web, namespace: shop }
    spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8000, appProtocol: http }] }
    ---
    apiVersion: workload.tulle.dev/v1alpha1
    kind: ExternalWorkload
    metadata: { name: client, namespace: shop }
    spec:
      run: { command: ["sh", "-c", "while sleep 1; do curl -s http://web/ -o /dev/null; done"] }

  tulle up -f mesh/

What happens: each instance gets a network namespace of its own with a sidecar; a controller reads the folder and follows
its changes; TCP leaves and enters through the sidecars, over mutual TLS between them. Names (web, web.shop,
web.shop.svc.cluster.local) resolve by /etc/hosts. The annotation tulle.dev/inject: disabled leaves out the sidecar;
tulle.dev/optional: "true" lets a workload be left out when its program is not installed. $TULLE_REPLICA is the instance's
number. Logs: <state folder>/<instance>/app.log. As root, \`ip netns exec tulle-web-0 …\` enters a workload, and
\`curl <address>:4191/metrics\` works from the machine itself. Ctrl-C stops everything and leaves nothing behind.
`;

/**
 * Parses the arguments after `tulle up`.
 *
 * @returns the options, or "help" when help was asked for and printed
 * @throws UsageError for what is not understood
 */
export function parseUpOptions(args: readonly string[]): UpOptions | "help" {
  const command = new Command("tulle up")
    .description("Run a mesh on this machine: controller, workloads and sidecars of a folder of Kubernetes YAML.")
    .requiredOption("-f, --folder <folder...>", "folder with YAML files; may be repeated")
    .option("--for <time>", `stop by itself after this time (${DURATION_FORM})`)
    .addOption(
      new Option("-o, --output <form>", "what to print while it runs").choices(["table", "json"]).default("table"),
    )
    .option("--interval <time>", "time between two looks at the metrics", "1s")
    .option(
      "--prove [file]",
      "check the claims of a file (default: <folder>/prove/claims.yaml); status 0 only if all hold",
    )
    .option("--min-success <percent>", "success rate that --prove wants the clients to see", "90")
    .option("--rootless", "use a user namespace also when root")
    .option("--keep-state", "leave logs and state in the state folder")
    .option("--trust-domain <name>", "trust domain of the identities", "cluster.local")
    .option("--leaf-lifetime <time>", "lifetime of the sidecars' certificates")
    .option("--access-log", "let every sidecar log its requests, as JSON, to its log file")
    .addHelpText("after", EXAMPLE)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse(args.filter((arg) => arg !== "--"), { from: "user" }); // `deno task` passes the -- on
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return "help";
    throw new UsageError(error.message.replace(/^error: /, ""));
  }
  const read = command.opts<Record<string, unknown>>();
  const text = (key: string) => read[key] as string; // commander fills defaults and required ones
  return {
    folders: read["folder"] as string[],
    forMs: read["for"] === undefined ? null : duration("--for", text("for"), 1000),
    output: text("output") === "json" ? "json" : "table",
    intervalMs: duration("--interval", text("interval"), MIN_INTERVAL_MS),
    proveFile: proveFile(read["prove"], (read["folder"] as string[])[0] ?? "."),
    minSuccessPercent: percent("--min-success", text("minSuccess")),
    rootless: read["rootless"] === true,
    keepState: read["keepState"] === true,
    trustDomain: text("trustDomain"),
    leafLifetime: read["leafLifetime"] === undefined ? null : text("leafLifetime"),
    accessLog: read["accessLog"] === true,
  };
}

function duration(flag: string, text: string, atLeastMs: number): number {
  const ms = parseDuration(text);
  if (ms === null) throw new UsageError(`${flag}: found ${JSON.stringify(text)}, want ${DURATION_FORM}`);
  if (ms < atLeastMs) throw new UsageError(`${flag}: found ${text}, want at least ${atLeastMs}ms`);
  return ms;
}

function proveFile(value: unknown, folder: string): string | null {
  if (value === undefined) return null;
  return typeof value === "string" ? value : `${folder}/prove/claims.yaml`;
}

function percent(flag: string, text: string): number {
  const value = /^\d{1,3}(\.\d+)?$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > 100) throw new UsageError(`${flag}: found ${JSON.stringify(text)}, want 0–100`);
  return value;
}
