/**
 * The ways between a client and a server that suites compare. The peers are foreign programs; a way says where the
 * server listens, where the client connects, and in which network namespace each of them runs.
 *
 *   direct              client ────────────────────────→ server     what every other way has to equal
 *   sidecars            client → sidecar ══ sidecar → server        the port's protocol is declared
 *   sidecars-detected   client → sidecar ══ sidecar → server        … is found out
 *   outbound            client → sidecar ──────────────→ server     the server has no sidecar
 *   inbound             client ──────────→ sidecar → server         the client has none; captured, so it needs root
 *   captured            client → sidecar ══ sidecar → server        both captured
 */
import { means } from "../capture/_bed.ts";
import { eventually } from "../support/eventually.ts";
import { isDirect, startMesh, yamlOf } from "../support/mesh.ts";
import { freePorts } from "../support/ports.ts";
import { findProgram, run } from "../support/process.ts";
import { NAMESPACE, type Resource, service, serviceResource, workload } from "../support/resources.ts";
import { tracesOnMachine, UpFolder } from "../up/_folder.ts";

export interface Way {
  readonly name: string;
  /** Put before the client's command, to run it where it belongs. */
  readonly client: readonly string[];
  /** Where the client reaches the server that listens on this port. */
  reach(port: number): { readonly host: string; readonly port: number };
}

/** A place where servers run, and the ways that lead to them. Servers listen on all addresses. */
export interface Bed extends AsyncDisposable {
  readonly ways: readonly Way[];
  /** Put before a server's command, to run it where it belongs. */
  readonly server: readonly string[];
  readonly ports: readonly number[];
}

const READY_MS = 60_000;
/** Ports of the captured bed, which has a network namespace to itself. */
const FIRST_PORT = 7001;
const VIRTUAL_IP = "10.96.11.1";

/**
 * A mesh on loopback: direct, sidecars, sidecars-detected, outbound.
 *
 * @param count how many servers there will be, a port for each
 * @param appProtocol of the declared way, as a Service has it; null leaves that way out, a list is by server
 */
export async function openLoopbackBed(
  count: number,
  appProtocol: string | null | readonly (string | null)[],
): Promise<Bed> {
  const ports = await freePorts(count, "0.0.0.0");
  const kinds = isDirect ? [] : [
    ...appProtocol === null ? [] : [{ name: "sidecars", of: "web", appProtocol }],
    { name: "sidecars-detected", of: "web", appProtocol: null },
    { name: "outbound", of: "bare", appProtocol: null },
  ];
  const services = kinds.flatMap((kind) =>
    ports.map((port, at) => {
      const declared = Array.isArray(kind.appProtocol) ? kind.appProtocol[at] ?? null : kind.appProtocol;
      return service(`${kind.name}-${port}`, port, declared, { app: kind.of });
    })
  );
  const mesh = await startMesh({
    workloads: [
      workload("front", { calls: services.map((item) => `${item.name}:${item.ports[0]?.port}`) }),
      workload("web"),
      workload("bare", { meshed: false }),
    ],
    services,
  });
  return {
    ports,
    server: [],
    ways: [
      { name: "direct", client: [], reach: (port) => ({ host: "127.0.0.1", port }) },
      ...kinds.map(({ name }) => ({
        name,
        client: [],
        reach: (port: number) => mesh.to("front", `${name}-${port}:${port}`),
      })),
    ],
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

/**
 * Workloads in network namespaces, captured: inbound and captured. Null, after a line that says why, where that cannot
 * be made.
 */
export async function openCapturedBed(
  count: number,
  say: (line: string) => void,
  appProtocol: string | null = null,
): Promise<Bed | null> {
  const nsenter = findProgram("nsenter");
  if (isDirect || nsenter === null || means() !== "here") {
    say("skip the ways inbound and captured: they need root and nsenter");
    return null;
  }
  const ports = Array.from({ length: count }, (_, at) => FIRST_PORT + at);
  // Names of their own: a user's or another test's mesh may run on the machine.
  const id = process.pid % 10_000;
  const names = { server: `srv${id}`, bare: `bare${id}`, front: `front${id}` };
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(new UpFolder({ "mesh.yaml": capturedMesh(names, ports, appProtocol) }));
    const up = folder.up();
    stack.defer(async () => void await up.stop(10_000));
    await up.waitForOutput(/2 of 2 sidecars ready/, READY_MS);
    const enter = (name: string) => [nsenter, `--net=/run/netns/${namespaceOf(name)}`];
    const server = folder.info().workloads.find((each) => each.name.includes(names.server))?.addresses[0] ?? "";
    await eventually(async () => {
      // Whatever is done first must not be what waits for the mesh: nobody listens there, so a refusal is an answer.
      const argv = [...enter(names.front), process.execPath, "-e", PROBE, VIRTUAL_IP, String(ports[0])];
      const probe = await run({ argv, name: "probe" });
      if (probe.code !== 0) throw new Error(`the mesh is not there: ${probe.stderr}`);
    }, READY_MS);
    return {
      ports,
      server: enter(names.server),
      ways: [
        { name: "inbound", client: enter(names.bare), reach: (port) => ({ host: server, port }) },
        { name: "captured", client: enter(names.front), reach: (port) => ({ host: VIRTUAL_IP, port }) },
      ],
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (cause) {
    await stack.disposeAsync();
    throw cause;
  }
}

/** Connects once; what becomes of the connection does not matter. */
const PROBE = `await Bun.connect({ hostname: process.argv[1], port: Number(process.argv[2]),
  socket: { open: (s) => s.end(), data() {}, error() {} } })`;

function capturedMesh(
  names: { server: string; bare: string; front: string },
  ports: readonly number[],
  appProtocol: string | null,
): string {
  const idle = ["sleep", "3600"];
  const one = (name: string, annotations: Readonly<Record<string, string>> = {}): Resource => ({
    apiVersion: "workload.tulle.dev/v1alpha1",
    kind: "ExternalWorkload",
    metadata: { name, namespace: NAMESPACE, labels: { app: name }, annotations },
    spec: { serviceAccountName: name, run: { command: idle } },
  });
  const all = { ...service(names.server, 1), ports: ports.map((port) => ({ port, targetPort: port, appProtocol })) };
  return yamlOf([
    one(names.server),
    one(names.front),
    one(names.bare, { "tulle.dev/inject": "disabled" }),
    serviceResource(all, VIRTUAL_IP),
  ]);
}

function namespaceOf(workload: string): string {
  const name = tracesOnMachine().find((each) => each.endsWith(`-${workload}-0`));
  if (name === undefined) throw new Error(`no namespace of ${workload}`);
  return name;
}
