/** No file descriptors left: clients are told, nothing hangs, and all is well again as soon as some are free. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { sumOf } from "../faults/_shop.ts";
import { eventually } from "../support/eventually.ts";
import { header, Http1Client, reply, type Response, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh, tulleCommand } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";

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

/** Opens connections with a request each until one is refused. @returns those that were served, and what the refused one got */
async function fill(mesh: Mesh, most: number): Promise<{ served: Http1Client[]; refused: Response | null }> {
  const served: Http1Client[] = [];
  while (served.length < most) {
    const client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
    const response = await client.get("/");
    if (response.status !== 200) {
      client.peer.terminate();
      return { served, refused: response };
    }
    served.push(client);
  }
  return { served, refused: null };
}

function serve(mesh: Mesh) {
  return serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
}

test.skipIf(isDirect).each([64, 128, 400])(
  "a sidecar with %i descriptors serves, and says when it can take no more",
  async (limit) => {
    await using mesh = await startShop(limit);
    using _app = serve(mesh);
    const { served, refused } = await fill(mesh, limit);
    expect(served.length).toBeGreaterThan(limit / 4);
    expect(refused?.status).toBe(503);
    expect(["no_descriptors", "overloaded"]).toContain(header(refused as Response, "tulle-error") ?? "");
    // Those that are open go on, and the operator is answered.
    for (const client of served) expect((await client.get("/")).status).toBe(200);
    expect(sumOf(await mesh.sidecar("front").metrics(), "outbound_tcp_errors_total")).toBeGreaterThan(0);
    for (const client of served) client.peer.terminate();
    await eventually(async () => {
      using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
      expect((await client.get("/")).status).toBe(200);
    });
  },
);

test.skipIf(isDirect)(
  "a sidecar whose descriptors are taken away says so, and goes on when they are back",
  async () => {
    await using mesh = await startShop(1000);
    using _app = serve(mesh);
    const { served } = await fill(mesh, 30);
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
    for (const client of served) expect((await client.get("/")).status).toBe(200);
    await setLimit(1000);
    await eventually(async () => {
      using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
      expect((await client.get("/")).status).toBe(200);
    });
  },
);
