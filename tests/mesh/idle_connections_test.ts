/** Many connections that do nothing: memory per connection, and that others are served meanwhile. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { Http1Client, reply, serveHttp } from "../support/http1.ts";
import { isDirect, startMesh } from "../support/mesh.ts";
import { memory } from "../support/proc.ts";
import { service, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
/** Most connections; fewer where the process may not have so many descriptors. */
const WANTED = 10_000;
/** Descriptors that everything else needs. */
const SPARE_DESCRIPTORS = 500;
/** Most memory of the client's sidecar with that many idle connections, in MB (milestone: 200). */
const MAX_RSS_MB = 200;
const BATCH = 250;

/** Soft limit of open files, of this process and of those it starts. */
function descriptorLimit(): number {
  const text = Bun.spawnSync(["sh", "-c", "ulimit -n"]).stdout.toString().trim();
  return text === "unlimited" ? Infinity : Number(text);
}

test("10,000 idle keep-alive connections", async () => {
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
  });
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  const target = mesh.to("front", `web:${PORT}`);
  // Without a mesh, client and server share a process: two descriptors for each connection.
  const limit = Math.floor((descriptorLimit() - SPARE_DESCRIPTORS) / (isDirect ? 2 : 1));
  const count = Math.min(WANTED, limit);
  if (count < WANTED) console.log(`${count} connections: ulimit -n is ${descriptorLimit()}`);
  const clients: Http1Client[] = [];
  const start = performance.now();
  try {
    while (clients.length < count) {
      const batch = await Promise.all(Array.from({ length: Math.min(BATCH, count - clients.length) }, async () => {
        const client = await Http1Client.connect(target);
        const response = await client.get("/");
        expect(response.status).toBe(200);
        return client;
      }));
      clients.push(...batch);
    }
    console.log(`opened in ${Math.round(performance.now() - start)} ms`);
    let closed = 0;
    for (const client of clients) void client.peer.closed.then(() => closed++);
    const latencies: number[] = [];
    for (let turn = 0; turn < 50; turn++) {
      const began = performance.now();
      using client = await Http1Client.connect(target);
      expect((await client.get("/")).status).toBe(200);
      latencies.push(performance.now() - began);
      await Bun.sleep(20);
    }
    expect(closed).toBe(0);
    for (const client of clients.filter((_, at) => at % 100 === 0)) expect((await client.get("/")).status).toBe(200);
    if (isDirect) return;
    for (const name of ["front", "web"]) {
      const used = memory([mesh.sidecar(name).child().pid]);
      console.log(
        `${name}: RSS ${used.rssMb.toFixed(0)} MB, private ${used.anonMb.toFixed(0)} MB with ${count} idle connections`,
      );
      expect(used.rssMb).toBeLessThan(MAX_RSS_MB);
    }
  } finally {
    for (const client of clients) client.peer.terminate();
  }
});
