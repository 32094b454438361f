import { expect, test } from "bun:test";
import { createCa } from "../../tests/support/certificates.ts";
import { freePort } from "../../tests/support/ports.ts";
import { askApplication } from "./app_probe.ts";

test("tcp: well when the application accepts, and not when nobody listens", async () => {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  expect(await askApplication({ kind: "tcp", port: listener.port }, "127.0.0.1")).toBe("");
  const port = await freePort();
  expect(await askApplication({ kind: "tcp", port }, "127.0.0.1")).toMatch(/refused|ECONNREFUSED|connect/i);
});

test("https: judged by the status, whatever the certificate", async () => {
  const ca = await createCa("own");
  const leaf = await ca.issue({ dnsNames: ["elsewhere"] });
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: leaf.key, cert: leaf.certificate },
    fetch: (request) => new Response("", { status: new URL(request.url).pathname === "/up" ? 200 : 500 }),
  });
  const port = server.port ?? 0;
  expect(await askApplication({ kind: "https", port, path: "/up" }, "127.0.0.1")).toBe("");
  expect(await askApplication({ kind: "https", port, path: "/down" }, "127.0.0.1")).toBe("it answers 500");
});
