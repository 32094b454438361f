/** No file descriptors left: clients are told, nothing hangs, and all is well again as soon as some are free. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { sumOf } from "../faults/_shop.ts";
import { eventually } from "../support/eventually.ts";
import { header, Http1Client, type HttpApp, reply, type Response, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh, tulleCommand } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;

async function startShop(descriptors: number): Promise<Mesh> {
  const limit = `case "$*" in *proxy*) ulimit -n ${descriptors};; esac; exec "$@"`;
  return await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
    tulle: ["sh", "-c", limit, "sh", ...tulleCommand()],
  });
}

/** An application that answers "/" at once, and "/later" when it is told to. */
class App implements Disposable {
  /** Requests that wait to be answered. */
  readonly held: (() => Promise<void>)[] = [];
  readonly #server: HttpApp;

  constructor(mesh: Mesh) {
    this.#server = serveHttp(mesh.ip("web"), PORT, async ({ path }, peer) => {
      if (path === "/later") this.held.push(() => peer.write(reply(200, "late")));
      else await peer.write(reply(200, "ok"));
    });
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }
}

/**
 * Opens connections with a request each that is not answered for now, until one is refused.
 *
 * @returns those whose request is under way, and what the refused one got
 */
async function fill(mesh: Mesh, app: App, most: number): Promise<{ busy: Busy[]; refused: Response | null }> {
  const busy: Busy[] = [];
  while (busy.length < most) {
    const client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
    const answer = client.get("/later");
    const arrived = eventually(() => expect(app.held.length).toBeGreaterThan(busy.length)).then(() => null);
    const refused = await Promise.race([answer, arrived]);
    if (refused !== null) {
      arrived.catch(() => {}); // it never will
      client.peer.terminate();
      return { busy, refused };
    }
    busy.push({ client, answer });
  }
  return { busy, refused: null };
}

interface Busy {
  readonly client: Http1Client;
  readonly answer: Promise<Response>;
}

test.skipIf(isDirect).each([64, 128, 400])(
  "a sidecar with %i descriptors serves, and says when it can take no more",
  async (limit) => {
    await using mesh = await startShop(limit);
    using app = new App(mesh);
    const { busy, refused } = await fill(mesh, app, limit);
    expect(busy.length).toBeGreaterThan(limit / 4);
    expect(refused?.status).toBe(503);
    expect(["no_descriptors", "overloaded"]).toContain(header(refused as Response, "tulle-error") ?? "");
    // Those that are open go on, and the operator is answered.
    for (const answer of app.held.splice(0)) await answer();
    for (const { answer } of busy) expect((await answer).status).toBe(200);
    for (const { client } of busy) expect((await client.get("/")).status).toBe(200);
    expect(sumOf(await mesh.sidecar("front").metrics(), "outbound_tcp_errors_total")).toBeGreaterThan(0);
    for (const { client } of busy) client.peer.terminate();
    await eventually(async () => {
      using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
      expect((await client.get("/")).status).toBe(200);
    });
  },
);

test.skipIf(isDirect)("a program that keeps all connections it gets idle leaves others of its pod served", async () => {
  await using mesh = await startShop(400);
  using app = new App(mesh);
  const target = mesh.to("front", `web:${PORT}`);
  using uses = await Http1Client.connect(target);
  const answer = uses.get("/later");
  await eventually(() => expect(app.held.length).toBe(1));
  using silent = await connectTcp(target);
  const idle: Http1Client[] = [];
  // More than there are descriptors: each is served, for none that came before is in use.
  for (let n = 0; n < 400; n++) {
    await eventually(async () => {
      const client = await Http1Client.connect(target);
      idle.push(client);
      expect((await client.get("/")).status).toBe(200);
    });
  }
  expect(await silent.read(20_000)).toBe(null); // closed, and in order
  for (const late of app.held.splice(0)) await late();
  expect((await answer).status).toBe(200); // of the first connection of all
  expect(sumOf(await mesh.sidecar("front").metrics(), "tulle_refusals_total", 'reason="idle_closed"')).toBeGreaterThan(
    100,
  );
  for (const client of idle) client.peer.terminate();
});

test.skipIf(isDirect)(
  "a sidecar whose descriptors are taken away says so, and goes on when they are back",
  async () => {
    await using mesh = await startShop(1000);
    using app = new App(mesh);
    const { busy } = await fill(mesh, app, 30);
    const { pid } = mesh.sidecar("front").child();
    const setLimit = async (limit: number) => {
      const done = await run({ argv: ["prlimit", "--pid", `${pid}`, `--nofile=${limit}:1000`] });
      expect(done.stderr).toBe("");
    };
    await setLimit(readdirSync(`/proc/${pid}/fd`).length);
    // Some may be answered by what the sidecar keeps in reserve; none may hang.
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
        return await client.get("/").then(
          (response) => header(response, "tulle-error") ?? `${response.status}`,
          (cause: unknown) => String(cause),
        );
      }),
    );
    expect(answers).toContain("no_descriptors");
    for (const answer of app.held.splice(0)) await answer();
    for (const { answer } of busy) expect((await answer).status).toBe(200);
    await setLimit(1000);
    await eventually(async () => {
      using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
      expect((await client.get("/")).status).toBe(200);
    });
  },
);
