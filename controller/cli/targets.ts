/** Which proxies a command is about: those it was given by address, or those of the mesh that runs on this machine. */
import { UsageError } from "../../src/base/error.ts";
import { suggest } from "../../src/base/suggest.ts";
import { findMeshes, isMeant, type KnownMesh, type KnownProxy, readMesh } from "./find_mesh.ts";

/** What the command line says of them. */
export interface TargetOptions {
  /** Addresses given; when there are some, nothing is looked for. */
  readonly address?: readonly string[] | undefined;
  /** State folder of the mesh that is meant, when several run. */
  readonly state?: string | undefined;
}

/** The proxies, and where they were found. */
export interface Targets {
  /** Null when the addresses were given. */
  readonly mesh: KnownMesh | null;
  readonly proxies: readonly KnownProxy[];
}

/**
 * @param words names of workloads or instances; none means all
 * @param port of addresses that name none
 * @throws UsageError for words and addresses that mean nothing, Error when no mesh runs
 */
export function findTargets(options: TargetOptions, words: readonly string[], port: number): Targets {
  if (options.address !== undefined && options.address.length > 0) {
    return { mesh: null, proxies: options.address.map((text) => proxyAt(text, port)) };
  }
  const mesh = options.state === undefined ? onlyMesh(findMeshes()) : readMesh(options.state);
  if (mesh === null) throw new Error(`no mesh runs with the state folder ${options.state}`);
  for (const word of words) {
    if (mesh.proxies.some((proxy) => isMeant(proxy, word))) continue;
    const names = mesh.proxies.flatMap(({ key, workload }) => [key, workload]);
    const nearest = suggest(word, [...names, ...names.map((name) => name.split("/")[1] ?? "")]);
    const known = mesh.proxies.map((proxy) => proxy.key).join(", ");
    throw new UsageError(
      `no sidecar of "${word}".${nearest === null ? ` There are: ${known}` : ` Did you mean "${nearest}"?`}`,
    );
  }
  const proxies = mesh.proxies.filter((proxy) => words.length === 0 || words.some((word) => isMeant(proxy, word)));
  return { mesh, proxies };
}

function onlyMesh(meshes: readonly KnownMesh[]): KnownMesh {
  const [mesh, ...others] = meshes;
  if (mesh === undefined) {
    throw new Error(
      "no mesh of yours runs on this machine: start one with `tulle up -f FOLDER`, or give --address",
    );
  }
  if (others.length === 0) return mesh;
  const folders = meshes.map((each) => each.stateFolder).join(" or ");
  throw new UsageError(`${meshes.length} meshes run on this machine: say which by --state ${folders}`);
}

/** Reads "10.77.0.12", "10.77.0.12:4191", "::1", "[::1]:4191" or "http://…". */
function proxyAt(text: string, defaultPort: number): KnownProxy {
  const isBareV6 = /^[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*$/.test(text);
  const url = URL.parse(text.includes("://") ? text : `http://${isBareV6 ? `[${text}]` : text}`);
  if (url === null || url.protocol !== "http:" || url.hostname === "") {
    throw new UsageError(`--address: found "${text}", want an address such as 10.77.0.12:${defaultPort}`);
  }
  // URL drops ":80", the port that an http:// URL implies.
  const port = url.port !== "" ? url.port : /:80\/?$/.test(text) ? "80" : String(defaultPort);
  const key = `${url.hostname}:${port}`;
  return { key, workload: key, admin: `http://${key}`, address: url.hostname.replace(/^\[|\]$/g, "") };
}
