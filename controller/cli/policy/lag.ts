/** Whether the sidecars that an answer speaks of run the snapshots that it was read from: a change takes a moment to reach them. */
import { errorText } from "../../../src/base/error.ts";
import { VERSION } from "../../../src/base/version.ts";
import { sidecarConfig } from "../diagnostics/sidecars.ts";
import { fetchText } from "../up/probe.ts";
import { localMesh, type MeshOptions } from "./_mesh_options.ts";
import type { Explanation, Question } from "./explanation.ts";
import type { MeshView } from "./mesh_view.ts";

/** A sidecar that runs another snapshot than the controller would send now. */
export interface Lag {
  /** "shop/web-0" */
  readonly workload: string;
  /** "its policy", or the target: "web.shop.svc.cluster.local:80". */
  readonly what: string;
  /** What is known of the reason. */
  readonly why: string;
}

export interface Lags {
  readonly older: readonly Lag[];
  /** Sidecars that could not be asked, and why. */
  readonly silent: readonly { readonly workload: string; readonly why: string }[];
}

/** Most sidecars that are asked: beyond that a Service has more endpoints than anybody wants to wait for. */
const MAX_ASKED = 8;

/** What a sidecar's /config says, as far as it is read here. */
interface Dump {
  readonly version: string;
  readonly discovery: {
    readonly stream: { readonly state: string; readonly controller: string; readonly lastError: string };
    readonly inbound: { readonly version: string } | null;
    readonly outbound: readonly { readonly key: string; readonly version: string; readonly authority: string }[];
    readonly refused: Readonly<Record<string, string>>;
  };
}

/** Asks the client's sidecar for the target, those of the servers for their policy. Never throws. */
export async function findLags(
  options: MeshOptions,
  view: MeshView,
  { from }: Question,
  { authority, backends }: Explanation,
): Promise<Lags> {
  const client = from?.meshed === true ? `${from.namespace}/${from.name}` : null;
  const servers = backends.flatMap(({ servers }) => servers.flatMap(({ workload }) => workload));
  const judged = servers.filter((workload) => judgeOf(view, workload) !== null);
  const asked = [...new Set([...(client === null ? [] : [client]), ...judged])].slice(0, MAX_ASKED);
  const older: Lag[] = [];
  const silent: Lags["silent"][number][] = [];
  await Promise.all(asked.map(async (workload) => {
    try {
      const dump = await readDump(options, workload);
      // Of another version the messages may differ though they say the same.
      if (dump.version !== VERSION) throw new Error(`it is of version ${dump.version}, this command of ${VERSION}`);
      if (judged.includes(workload)) {
        const now = judgeOf(view, workload)?.policy.version;
        if (dump.discovery.inbound?.version !== now) {
          older.push({ workload, what: "its policy", why: reasonOf(dump, "inbound") });
        }
      }
      if (workload !== client || from === null) return;
      for (const { key, version, authority: own } of dump.discovery.outbound) {
        if (own !== authority || view.target(key, from).version === version) continue;
        older.push({ workload, what: authority, why: reasonOf(dump, `outbound/${key}`) });
      }
    } catch (error) {
      silent.push({ workload, why: errorText(error) });
    }
  }));
  return { older, silent };
}

function judgeOf(view: MeshView, workload: string): ReturnType<MeshView["judge"]> {
  const [namespace = "", name = ""] = workload.split("/");
  return view.judge(namespace, name);
}

function reasonOf({ discovery: { stream, refused } }: Dump, resource: string): string {
  const refusal = refused[resource];
  if (refusal !== undefined) return `it has refused the newer one: ${refusal}`;
  if (stream.state === "open") return "the change is on its way: ask again";
  return `it has no stream to the controller ${stream.controller}${
    stream.lastError === "" ? "" : `: ${stream.lastError}`
  }`;
}

async function readDump(options: MeshOptions, workload: string): Promise<Dump> {
  const [namespace = "", name = ""] = workload.split("/");
  const mesh = localMesh(options);
  const text = mesh === null
    ? await sidecarConfig(options, { namespace, name })
    : await fetchText(`${mesh.proxies.find(({ key }) => key === workload)?.admin}/config`);
  if (text === null) throw new Error("no answer");
  return JSON.parse(text) as Dump; // our own proxy's
}
