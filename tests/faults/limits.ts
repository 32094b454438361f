/** What a host runs out of: descriptors, local ports, room on a disk; and somebody else at the controller's address. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { fetchOnce } from "../support/http1.ts";
import { findProgram } from "../support/process.ts";
import type { Fault, Outcome, Size } from "./fault.ts";
import type { Net } from "./_net.ts";
import { HTTP1, Shop, sumOf } from "./_shop.ts";

/** The replica whose host runs out of something. */
const SHORT_OF = "web-0";
const BETWEEN = 400;
const CONTROLLER_PORT = 8086;
/** What stands at the controller's address says first, or does. */
const IMPOSTORS: readonly (readonly [string, (socket: Bun.Socket) => void])[] = [
  ["garbage", (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\nthis is no controller\r\n")],
  ["silence", () => {}],
  ["an end", (socket) => void socket.end()],
  // A record of TLS that says it has 16 KiB, and has 3 bytes.
  ["half a message", (socket) => void socket.write(Buffer.from([0x16, 3, 3, 0x40, 0, 2, 0, 0]))],
];

/** These are no questions of rare chances. */
function requestsOf(size: Size): number {
  return Math.min(size.requests, 20_000);
}

function setDescriptors(pid: number, soft: number): void {
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1] ?? "";
  const done = Bun.spawnSync(["prlimit", "--pid", `${pid}`, `--nofile=${soft}:${hard}`], { stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`prlimit: ${done.stderr.toString()}`);
}

/** Again and again a server's sidecar has no descriptor left for connections to its application: others serve. */
async function noDescriptors(size: Size): Promise<Outcome> {
  await using shop = await Shop.start({ replicas: 2, app: { DELAY_MS: "20" } });
  const load = await shop.load(size);
  const { pid } = shop.mesh.sidecar(SHORT_OF).child();
  let rounds = 0;
  do {
    setDescriptors(pid, readdirSync(`/proc/${pid}/fd`).length);
    await load.more(BETWEEN);
    setDescriptors(pid, 10_000);
    await shop.serves(load, SHORT_OF);
    rounds++;
  } while (load.sent < requestsOf(size));
  return await shop.outcome(load, `${rounds} times`);
}

/** The controller is gone and somebody else answers at its address; then it comes back, and is followed again. */
async function impostor(size: Size): Promise<Outcome> {
  await using shop = await Shop.start({ replicas: 2, app: { DELAY_MS: "5" } });
  const load = await shop.load(size);
  const { controller, subnet } = shop.mesh;
  for (const [, greet] of IMPOSTORS) {
    controller.child().signal("SIGKILL");
    await controller.child().exited;
    const met = Promise.withResolvers<void>();
    const listener = Bun.listen({
      hostname: `${subnet}.254`,
      port: CONTROLLER_PORT,
      socket: {
        open(socket) {
          greet(socket);
          met.resolve();
        },
        data() {},
        error() {},
      },
    });
    await Promise.all([load.more(requestsOf(size) / IMPOSTORS.length), met.promise]);
    listener.stop(true);
    await controller.start();
  }
  shop.mesh.withdraw([SHORT_OF]);
  await eventually(async () => {
    const before = load.answeredBy(SHORT_OF);
    await load.more(100);
    if (load.answeredBy(SHORT_OF) > before) throw new Error(`${SHORT_OF} is still asked`);
  }, 40_000);
  return await shop.outcome(load, IMPOSTORS.map(([what]) => what).join(", "));
}

export const limits: readonly Fault[] = [
  {
    name: "a server's sidecar has no descriptor left",
    missing: () => findProgram("prlimit") === null ? "prlimit is not installed" : null,
    run: noDescriptors,
  },
  { name: "somebody else answers at the controller's address", run: impostor },
];

/** A server's host has no local port left for connections to the application. */
export async function noLocalPorts(size: Size, net: Net, shop: Shop): Promise<Outcome> {
  const setRange = (range: string) => {
    const argv = ["sh", "-c", `echo ${range} > /proc/sys/net/ipv4/ip_local_port_range`];
    if (net.pod(SHORT_OF).inside(() => Bun.spawnSync(argv)).exitCode !== 0) throw new Error("the range cannot be set");
  };
  setRange("40000 40001"); // before there are connections that can be used again
  const load = await shop.load(size);
  await load.more(requestsOf(size));
  const missed = sumOf(await shop.mesh.sidecar(SHORT_OF).metrics(), "inbound_http_errors_total", "no_local_ports");
  setRange("32768 60999");
  await shop.serves(load, SHORT_OF);
  const outcome = await shop.outcome(load, `${missed} requests found no port`);
  return missed > 0 ? outcome : { ...outcome, problems: [...outcome.problems, "there were ports enough"] };
}

/** The disk of the saved state is full while endpoints change; with room on it again, the state is kept, and serves. */
export async function fullDisk(size: Size, shop: Shop): Promise<Outcome> {
  const state = join(shop.mesh.dir, "state-front");
  const kept = join(shop.mesh.dir, "kept");
  cpSync(state, kept, { recursive: true });
  mount("tmpfs", "-o", "size=256k,mode=700", "tmpfs", state);
  try {
    cpSync(kept, state, { recursive: true });
    const filler = join(state, "filler");
    const load = await shop.load(size);
    fill(filler);
    shop.mesh.withdraw(["web-1"]);
    await load.more(requestsOf(size));
    const drafts = readdirSync(state).filter((name) => name.endsWith(".new"));
    rmSync(filler);
    const before = contents(kept);
    await eventually(() => {
      if (contents(state) === before) throw new Error("the state is not written");
    }, 20_000);
    const outcome = await shop.outcome(load);
    // Only what was kept says that web-0 is alone.
    shop.mesh.controller.child().signal("SIGKILL");
    await shop.mesh.controller.child().exited;
    await shop.mesh.sidecar("front").child().stop(30_000);
    await shop.mesh.sidecar("front").start();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        return (await fetchOnce(shop.mesh.to("front", `h1:${HTTP1}`), `/after-${at}`)).body.toString().split(" ")[0];
      }),
    );
    const problems = [...outcome.problems];
    if (drafts.length > 0) problems.push(`drafts stay on the full disk: ${drafts.join(", ")}`);
    if (answers.some((by) => by !== "web-0")) problems.push(`after a restart others answer: ${answers.join(" ")}`);
    return { ...outcome, problems };
  } finally {
    await shop.mesh.sidecar("front").child().stop(5_000);
    Bun.spawnSync(["umount", state]);
  }
}

function mount(type: string, ...rest: readonly string[]): void {
  const done = Bun.spawnSync(["mount", "-t", type, ...rest], { stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`mount: ${done.stderr.toString()}`);
}

/** Takes all room that is left, to the last byte. */
function fill(path: string): void {
  if (!existsSync(path)) writeFileSync(path, "");
  for (const piece of [4096, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(piece), { flag: "a" });
    } catch {
      // Full.
    }
  }
}

/** All that is kept of a state, apart from what fills the disk. */
function contents(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(folder).filter((name) => name.endsWith(".snapshot")).sort();
  return files.map((name) => `${name} ${readFileSync(join(folder, name)).toString("base64")}`).join("\n");
}
