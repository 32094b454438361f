/**
 * The entry: argv → one face of the binary. Each face is behind an `import()`, so that a sidecar neither loads nor pays for
 * the controller. A worker thread of the proxy starts here as well. No logic lives here.
 */
import { errorText, EXIT_USAGE, UsageError } from "./base/error.ts";
import { suggest } from "./base/suggest.ts";

interface Face {
  readonly summary: string;
  /** It stays: then it pays for nothing that it does not use. Touching `process.stdout` alone costs 8 MB of resident memory. */
  readonly isService?: true;
  /** It ends the reluctance to compile by itself, when it has work; see net/jit_policy.ts. */
  readonly compilesLate?: true;
  /** It has no options: its environment says everything. */
  readonly hasNoOptions?: true;
  readonly run: (argv: string[]) => Promise<void>;
}

const FACES: ReadonlyMap<string, Face> = new Map<string, Face>([
  ["up", {
    summary: "Run a mesh on this machine, from a folder of YAML",
    run: async (argv) => (await import("../controller/cli/up/up.ts")).runUp(argv),
  }],
  ["install", {
    summary: "Print the objects of an installation, for kubectl apply -f -",
    run: async (argv) => (await import("../controller/cli/install.ts")).runInstall(argv),
  }],
  ["upgrade", {
    summary: "Print the objects of this version with the installed values",
    run: async (argv) => (await import("../controller/cli/upgrade.ts")).runUpgrade(argv),
  }],
  ["uninstall", {
    summary: "Print all that the mesh has in a cluster, for kubectl delete -f -",
    run: async (argv) => (await import("../controller/cli/uninstall.ts")).runUninstall(argv),
  }],
  ["check", {
    summary: "Say whether cluster, control plane and sidecars are well, and what to do",
    run: async (argv) => (await import("../controller/cli/check/check.ts")).runCheck(argv),
  }],
  ["ca", {
    summary: "Exchange the root of a running mesh: tulle ca rotate",
    run: async (argv) => (await import("../controller/cli/ca/ca.ts")).runCa(argv),
  }],
  ["inject", {
    summary: "Add the sidecar to the workloads of manifests",
    run: async (argv) => (await import("../controller/cli/inject.ts")).runInject(argv),
  }],
  ["uninject", {
    summary: "Take the sidecar out of the workloads of manifests",
    run: async (argv) => (await import("../controller/cli/inject.ts")).runUninject(argv),
  }],
  ["migrate", {
    summary: "Translate manifests of Linkerd, Istio and SMI",
    run: async (argv) => (await import("../controller/cli/migrate/migrate.ts")).runMigrate(argv),
  }],
  ["stat", {
    summary: "Show success rate, rate and latency of workloads and routes",
    run: async (argv) => (await import("../controller/cli/stat.ts")).runStat(argv),
  }],
  ["explain", {
    summary: "Say where a request would go, and who would let it in",
    run: async (argv) => (await import("../controller/cli/policy/explain.ts")).runExplain(argv),
  }],
  ["authz", {
    summary: "Say who may call a workload, and why",
    run: async (argv) => (await import("../controller/cli/policy/authz.ts")).runAuthz(argv),
  }],
  ["policy", {
    summary: "Check, try out and suggest policies: tulle policy lint, replay, suggest",
    run: async (argv) => (await import("../controller/cli/policy/policy.ts")).runPolicy(argv),
  }],
  ["identity", {
    summary: "Show the certificate that a sidecar uses now",
    run: async (argv) => (await import("../controller/cli/identity.ts")).runIdentity(argv),
  }],
  ["diagnostics", {
    summary: "Show what sidecars and controller know, or gather it for a report",
    run: async (argv) => (await import("../controller/cli/diagnostics/diagnostics.ts")).runDiagnostics(argv),
  }],
  ["proxy", {
    isService: true,
    hasNoOptions: true,
    compilesLate: true,
    summary: "The sidecar of one workload",
    run: async (argv) => (await import("./proxy/run/run.ts")).runProxy(argv),
  }],
  ["controller", {
    isService: true,
    summary: "Follow a folder of YAML, certify the proxies and tell them what they need",
    run: async (argv) => (await import("../controller/main.ts")).runController(argv),
  }],
  ["agent", {
    isService: true,
    summary: "Capture the traffic of a node's meshed pods",
    run: async (argv) => (await import("../controller/cli/agent.ts")).runAgentCommand(argv),
  }],
  ["completion", {
    summary: "Print a script that completes commands in bash, zsh or fish",
    run: async (argv) => (await import("../controller/cli/completion.ts")).runCompletion(argv, completedFaces()),
  }],
  ["version", {
    summary: "Print the version of this binary",
    run: async (argv) => (await import("../controller/cli/version.ts")).runVersion(argv),
  }],
]);

const GROUPS: readonly { readonly title: string; readonly faces: readonly string[] }[] = [
  { title: "Run a mesh on this machine", faces: ["up"] },
  {
    title: "Run a mesh on a cluster",
    faces: ["install", "upgrade", "uninstall", "check", "ca", "inject", "uninject", "migrate"],
  },
  {
    title: "See what it does",
    faces: ["stat", "explain", "authz", "policy", "identity", "diagnostics", "version", "completion"],
  },
  { title: "The parts, as `tulle up` and a cluster start them", faces: ["proxy", "controller", "agent"] },
];

const EXAMPLES = `Examples:
  tulle up -f mesh/                 run the workloads of a folder, each with its sidecar
  tulle stat -w                     success rate, requests per second and latency, live
  tulle identity front-0.shop       the certificate that a sidecar uses now
  tulle <command> --help            what a command does, with examples`;

function completedFaces() {
  return [...FACES].map(([name, { summary, hasNoOptions, run }]) => {
    return { name, summary, run: hasNoOptions === true ? null : run };
  });
}

function help(): string {
  const lines = ["Tulle: a service mesh. Mutual TLS, authorization and golden metrics between services, unasked.", ""];
  lines.push("Usage: tulle <command> [options]", "");
  for (const group of GROUPS) {
    lines.push(`${group.title}:`);
    for (const name of group.faces) {
      const face = FACES.get(name);
      if (face !== undefined) lines.push(`  ${name.padEnd(12)}${face.summary}`);
    }
    lines.push("");
  }
  return [...lines, EXAMPLES, ""].join("\n");
}

async function main(argv: string[]): Promise<void> {
  const [name, ...rest] = argv;
  // A runtime starts the network plugin without arguments.
  if (name === undefined && process.env["CNI_COMMAND"] !== undefined) {
    return await (await import("../controller/agent/plugin.ts")).runPlugin(process.env);
  }
  const face = FACES.get(name === "--version" || name === "-V" ? "version" : name ?? "");
  if (face?.isService === undefined) endWithReader();
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    if (name === undefined) process.exitCode = EXIT_USAGE;
    return;
  }
  if (face?.compilesLate === undefined) Bun.unsafe.setJITPolicy(1);
  if (face !== undefined) return await face.run(rest);
  const nearest = suggest(name, [...FACES.keys()]);
  const hint = nearest === null ? "" : ` Did you mean "${nearest}"?`;
  throw new UsageError(`unknown command "${name}".${hint} See: tulle --help`);
}

/** `tulle … | head` closes the pipe early; there is nobody left to tell. */
function endWithReader(): void {
  process.stdout.on("error", (error: { code?: string }) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  });
}

try {
  if (Bun.isMainThread) await main(process.argv.slice(2));
  else (await import("./proxy/run/workers/worker.ts")).runWorker();
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`tulle: ${isUsage ? error.message : errorText(error)}\n`);
  process.exitCode = isUsage ? EXIT_USAGE : 1;
}
