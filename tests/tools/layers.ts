/**
 * The architecture as data: which folder may import which, which library has which owner, and how long a file may be.
 * `layers_plugin.ts` applies it in `deno lint`; `layers_test.ts` plants a violation of each kind.
 */

/** A part of the tree. The longest prefix that fits decides. */
interface Area {
  /** Path from the root of the repository; a folder ends in "/". */
  readonly prefix: string;
  /** Value imports go to a strictly lower level or stay within the area. */
  readonly level: number;
  /** `src/` and `controller/` share only what is "shared": during an upgrade both versions are alive. */
  readonly side: "src" | "controller" | "shared" | "entry" | "tests";
}

const AREAS: readonly Area[] = [
  { prefix: "src/base/", level: 0, side: "shared" },
  { prefix: "src/os/", level: 0, side: "src" },
  { prefix: "proto/gen/", level: 1, side: "shared" },
  { prefix: "src/wire/", level: 1, side: "src" },
  { prefix: "src/net/", level: 1, side: "src" },
  { prefix: "src/model/", level: 1, side: "src" },
  { prefix: "src/telemetry/", level: 1, side: "src" },
  { prefix: "src/identity/", level: 2, side: "src" },
  { prefix: "src/discovery/", level: 2, side: "src" },
  { prefix: "src/config/", level: 2, side: "src" },
  { prefix: "src/http/", level: 2, side: "src" },
  { prefix: "src/capture/", level: 2, side: "src" },
  // The pipelines, above the stages. A request with its way to an answer, of either direction:
  { prefix: "src/proxy/exchange/", level: 4, side: "src" },
  // A socket from accept until it is known what it carries; and what metrics, logs and flows are told.
  { prefix: "src/proxy/connection/", level: 5, side: "src" },
  { prefix: "src/proxy/observe/", level: 5, side: "src" },
  { prefix: "src/proxy/inbound/", level: 6, side: "src" },
  { prefix: "src/proxy/outbound/", level: 6, side: "src" },
  { prefix: "src/proxy/", level: 7, side: "src" },
  { prefix: "src/admin/", level: 7, side: "src" },
  // The proxy's wiring: it alone sees both the data path and admin.
  { prefix: "src/proxy/run/", level: 8, side: "src" },
  { prefix: "src/main.ts", level: 9, side: "entry" },
  { prefix: "controller/core/", level: 1, side: "controller" },
  // The Kubernetes API as a client: requests, list-watch, leases. It knows no kinds.
  { prefix: "controller/api/", level: 2, side: "controller" },
  { prefix: "controller/kube/", level: 3, side: "controller" },
  { prefix: "controller/index/", level: 4, side: "controller" },
  { prefix: "controller/issuer/", level: 4, side: "controller" },
  // Annotations and a pod → the pod with its sidecar. Pure.
  { prefix: "controller/inject/", level: 4, side: "controller" },
  // Values → the objects of an installation. Pure.
  { prefix: "controller/manifests/", level: 4, side: "controller" },
  { prefix: "controller/serve/", level: 5, side: "controller" },
  // What the controller writes into the cluster: trust bundles, webhook configurations, conditions.
  { prefix: "controller/writers/", level: 5, side: "controller" },
  // The CNI plugin and the node's agent.
  { prefix: "controller/agent/", level: 5, side: "controller" },
  { prefix: "controller/cli/", level: 6, side: "controller" },
  { prefix: "controller/", level: 7, side: "controller" },
  { prefix: "tests/", level: 10, side: "tests" },
];

/** Level of a stage: a folder of `src/proxy/` that is not named above. */
const STAGE_LEVEL = 3;
/** Levels of the pipelines. They may know each other's types, as what is told to observers. */
const PIPELINE_LEVELS = { from: 4, to: 6 } as const;

/** Folders that run anywhere, so that they can be fuzzed anywhere: no `bun:*`, no `node:*`, no runtime globals. */
export const PURE_PREFIXES: readonly string[] = ["src/base/", "src/wire/", "src/model/"];

/** Globals that a pure folder may not use. `Buffer` is allowed: its byte search and Latin-1 slices are plain computation. */
export const IMPURE_GLOBALS: readonly string[] = ["Bun", "Deno", "process"];

/** Each library has an owner, so that replacing it touches one folder. The key is the start of the specifier. */
const LIBRARY_OWNERS: ReadonlyMap<string, readonly string[]> = new Map([
  ["bun:ffi", ["src/os/", "src/net/", "src/capture/"]],
  ["hono", ["src/admin/", "controller/serve/"]],
  ["@hono/", ["controller/serve/"]],
  ["yaml", ["controller/kube/", "controller/api/", "controller/manifests/", "controller/cli/"]],
  ["commander", ["controller/cli/", "controller/main.ts"]],
  // Needs `reflect-metadata` first, and costs 19 MB: never in the proxy.
  ["@peculiar/x509", ["controller/issuer/"]],
  ["reflect-metadata", ["controller/issuer/"]],
  ["@connectrpc/", ["src/discovery/", "src/identity/", "controller/serve/", "controller/issuer/"]],
  [
    "@bufbuild/protobuf",
    ["src/discovery/", "src/identity/", "src/proxy/mtls/", "controller/serve/", "controller/issuer/", "proto/gen/"],
  ],
  ["fast-check", []],
  ["acorn", []],
  ["bun:test", []],
  ["@grpc/", []],
]);

/**
 * Where a proxy may import the runtime's `node:` modules as it loads. Each stays in the private memory of every sidecar: 450 KB
 * for node:fs, 680 for node:crypto, 140 for node:path (measured). What runs now and then loads them by `import()`.
 */
const NODE_MODULES_IN: readonly string[] = ["src/capture/", "src/proxy/run/upgrade/", "controller/"];

/** Ways across a border that are wanted, each with its reason. */
const EXCEPTIONS: readonly { readonly from: string; readonly to: string; readonly why: string }[] = [
  { from: "controller/cli/", to: "src/capture/", why: "`tulle up` makes the namespaces of the workloads itself" },
  {
    from: "controller/cli/policy/",
    to: "src/proxy/explain.ts",
    why: "what a proxy would decide is asked of the proxy's own functions, over the messages that it gets",
  },
  { from: "controller/agent/", to: "src/capture/", why: "the plugin installs capture in the pod's namespace" },
  {
    from: "src/proxy/upstream/",
    to: "src/proxy/mtls/transport.ts",
    why: "both ends of a mesh connection frame its header by the same few lines",
  },
];

/** Longest file, lines: a reader holds one concern at a time. */
export const MAX_LINES = 400;
/** Longest file that carries `// long-file: why`, and longest test file. */
export const MAX_LONG_LINES = 500;

/** One import, as the plugin found it. */
export interface Import {
  /** Path of the importing file from the root of the repository. */
  readonly from: string;
  readonly specifier: string;
  /** True when nothing but types is imported, so that no code depends on it. */
  readonly isType: boolean;
  /** True for `import()`. */
  readonly isDynamic: boolean;
}

/** Judges one import. @returns what is wrong and where to go, or null when the import is legal */
export function judgeImport(found: Import): string | null {
  return found.specifier.startsWith(".")
    ? judgePath(found, resolvePath(found.from, found.specifier))
    : judgeLibrary(found);
}

/** Judges the length of a file. @returns what is wrong, or null */
export function judgeLength(path: string, text: string): string | null {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  const cap = isTest(path) || /^\/\/ long-file: \S/m.test(text) ? MAX_LONG_LINES : MAX_LINES;
  if (lines <= cap) return null;
  return `${lines} lines, want at most ${cap}: split it by concern` +
    (cap === MAX_LINES ? `, or write "// long-file: why" to have ${MAX_LONG_LINES}` : "");
}

/** True in the folders that may not use runtime globals. Their tests may. */
export function isPure(path: string): boolean {
  return !isTest(path) && PURE_PREFIXES.some((prefix) => path.startsWith(prefix));
}

/** True for unit tests, for everything in `tests/`, and for the examples, which are programs of others. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.startsWith("deploy/") || path.endsWith("_test.ts") ||
    /\/_?[a-z0-9_]*(builders|fixtures?)\.ts$/.test(path);
}

function judgeLibrary(found: Import): string | null {
  const { from, specifier, isType } = found;
  const isRuntime = specifier === "bun" || specifier.startsWith("bun:") || specifier.startsWith("node:");
  if (isPure(from) && isRuntime) return `a pure folder may not import ${specifier}: pass what you need as an argument`;
  if (isTest(from) || isType) return null;
  if (specifier.startsWith("node:") && !found.isDynamic && !NODE_MODULES_IN.some((folder) => from.startsWith(folder))) {
    return `${specifier} would stay in every sidecar's memory: use src/os/, Bun, or import() where it is needed`;
  }
  for (const [library, owners] of LIBRARY_OWNERS) {
    if (!specifier.startsWith(library)) continue;
    if (owners.some((owner) => from.startsWith(owner))) return null;
    return owners.length === 0
      ? `${library} is for tests only`
      : `${library} belongs to ${owners.join(", ")}: import what that folder offers`;
  }
  return null;
}

function judgePath(found: Import, to: string): string | null {
  const { from, isType, isDynamic } = found;
  const source = areaOf(from);
  const target = areaOf(to);
  if (source === null || target === null) return null;
  if (source.side === "tests") return null;
  if (to === "src/main.ts") return "main.ts is imported by no one: move what you need down";
  if (target.side === "tests") return isTest(from) ? null : "tests are imported by tests only";
  const folder = to.slice(0, to.lastIndexOf("/") + 1);
  const isPrivate = /\/_[^/]*$/.test(to);
  if (isPrivate && !from.startsWith(folder)) return `${to} is private to ${folder}`;
  if (source.prefix === target.prefix || isException(from, to)) return null;
  if (source.side === "entry") {
    return isDynamic || target.level === 0
      ? null
      : "main.ts loads faces by import() only, so that the others cost nothing";
  }
  if (target.side !== "shared" && target.side !== source.side) {
    return `${source.side}/ and ${target.side}/ share only src/base and proto/: both versions are alive during an upgrade`;
  }
  return judgeDirection(source, target, isType, isTest(from));
}

function judgeDirection(source: Area, target: Area, isType: boolean, isUnitTest: boolean): string | null {
  if (target.level < source.level) return null;
  if (target.level === source.level && isUnitTest) return null;
  if (isType && isPipeline(source) && isPipeline(target)) return null;
  if (source.level === STAGE_LEVEL && target.level === STAGE_LEVEL) {
    // Alphabetical order is the order of the data path.
    if (isType && target.prefix < source.prefix) return null;
    return `stages are strangers: ${source.prefix} may only import types of stages to its left; the pipelines compose`;
  }
  return `${source.prefix} (level ${source.level}) may not import ${target.prefix} (level ${target.level}): ` +
    "move the shared part down, or pass it as an argument";
}

function isPipeline({ level, side }: Area): boolean {
  return side === "src" && level >= PIPELINE_LEVELS.from && level <= PIPELINE_LEVELS.to;
}

function isException(from: string, to: string): boolean {
  return EXCEPTIONS.some((exception) => from.startsWith(exception.from) && to.startsWith(exception.to));
}

function areaOf(path: string): Area | null {
  let best: Area | null = null;
  for (const area of AREAS) {
    if (path.startsWith(area.prefix) && (best === null || area.prefix.length > best.prefix.length)) best = area;
  }
  const stage = /^src\/proxy\/[^/]+\//.exec(path)?.[0];
  if (stage !== undefined && stage !== best?.prefix) return { prefix: stage, level: STAGE_LEVEL, side: "src" };
  return best;
}

function resolvePath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
