import { afterEach, expect, spyOn, test } from "bun:test";
import { KubeClient } from "./client.ts";
import { Definitions } from "./definitions.ts";
import { ListWatch } from "./list_watch.ts";
import { TYPES } from "./resource_type.ts";

const opened: { close(): void }[] = [];
afterEach(() => opened.splice(0).forEach((one) => one.close()));

/** As much of an API server as two list-watches ask of it: TLSRoutes are unknown until they are served, and then of an older version alone. */
function apiServer() {
  const definitions = Promise.withResolvers<ReadableStreamDefaultController<string>>();
  const asked = { isServed: false, unknown: 0, accepted: [] as (string | null)[] };
  const list = (name: string) => Response.json({ metadata: { resourceVersion: "1" }, items: [{ metadata: { name } }] });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const isWatch = searchParams.has("watch");
      if (pathname.endsWith("/customresourcedefinitions")) {
        asked.accepted.push(request.headers.get("accept"));
        if (!isWatch) return list("others.example.com");
        return new Response(new ReadableStream({ start: (stream) => definitions.resolve(stream) }));
      }
      if (isWatch) return new Response(new ReadableStream({ start: () => {} }));
      if (asked.isServed && pathname.includes("/v1alpha3/")) return list("web");
      asked.unknown++;
      return Response.json({ kind: "Status", code: 404, reason: "NotFound" }, { status: 404 });
    },
  });
  opened.push({ close: () => void server.stop(true) });
  const changed = (name: string) => `${JSON.stringify({ type: "MODIFIED", object: { metadata: { name } } })}\n`;
  return { server, asked, tell: async (name: string) => (await definitions.promise).enqueue(changed(name)) };
}

test("a kind that becomes known is listed at once, and its definition's schema is not asked for", async () => {
  // No wait ends by itself: whatever is asked again is asked for a reason.
  const timers = spyOn(globalThis, "setTimeout").mockImplementation((() => 0) as never);
  opened.push({ close: () => timers.mockRestore() });
  const { server, asked, tell } = apiServer();
  const target = {
    ...{ server: server.url.origin, ca: null, clientCertificate: null, token: null, login: null, serverName: null },
    ...{ insecure: false, namespace: "default", context: "test" },
  };
  const client = new KubeClient(target);
  const definitions = new Definitions(client, () => 1);
  const emptied = Promise.withResolvers<void>();
  const listed = Promise.withResolvers<string[]>();
  const watch = new ListWatch({
    ...{ client, type: TYPES.TLSRoute, namespace: null, definitions, random: () => 1 },
    listener: {
      onList: (objects) =>
        objects.length === 0 ? emptied.resolve() : listed.resolve(objects.map((one) => one.metadata.name ?? "")),
      onChange: () => {},
      onRemove: () => {},
      onTrouble: () => {},
    },
  });
  opened.push(watch, definitions);
  definitions.start();
  watch.start();
  await emptied.promise;
  await tell("grpcroutes.gateway.networking.k8s.io");
  asked.isServed = true;
  await tell("tlsroutes.gateway.networking.k8s.io");
  expect(await listed.promise).toEqual(["web"]);
  expect(asked.unknown).toBe(3 + 1); // each version; then the newest again
  for (const accepted of asked.accepted) expect(accepted).toContain("as=PartialObjectMetadata");
});
