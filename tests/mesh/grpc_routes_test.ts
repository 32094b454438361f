/** GRPCRoutes by @grpc/grpc-js: calls go by service, method and metadata, and what no rule matches is UNIMPLEMENTED. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { grpcRoute, httpRoute, service, workload } from "../support/resources.ts";

setDefaultTimeout(60_000);

const PORT = 50051;
const METHODS = ["Get", "Put", "Other"] as const;
let mesh: Mesh;
let client: InstanceType<grpc.ServiceClientConstructor>;
const servers: grpc.Server[] = [];
/** Calls that each server has had. */
const calls: Record<string, string[]> = { cart: [], v2: [] };

const SERVICE = Object.fromEntries(METHODS.map((name) => [name, {
  path: `/shop.v1.Cart/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (bytes: Buffer) => bytes,
}]));

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`cart:${PORT}`] }), workload("cart"), workload("v2")],
    services: [service("cart", PORT, "grpc"), service("v2", PORT, "grpc")],
  });
  for (const name of ["cart", "v2"]) {
    const server = new grpc.Server();
    const answer =
      (method: string) => (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        calls[name]?.push(method);
        done(null, Buffer.from(`${name} ${call.metadata.get("x-added").join()}`));
      };
    server.addService(SERVICE, Object.fromEntries(METHODS.map((method) => [method, answer(method)])));
    const credentials = grpc.ServerCredentials.createInsecure();
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`${mesh.ip(name)}:${PORT}`, credentials, (error) => (error === null ? resolve() : reject(error)))
    );
    servers.push(server);
  }
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Cart");
  client = new Client(mesh.to("front", `cart:${PORT}`).authority, grpc.credentials.createInsecure());
});

afterAll(async () => {
  client?.close();
  for (const server of servers) server.forceShutdown();
  await mesh?.[Symbol.asyncDispose]();
});

/** What a call is answered, or the code of its status. */
function call(method: (typeof METHODS)[number], metadata: Record<string, string> = {}): Promise<string | number> {
  const fields = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) fields.set(name, value);
  return new Promise((resolve) => {
    client[method]?.(Buffer.from("x"), fields, { deadline: Date.now() + 20_000 }, (
      error: grpc.ServiceError | null,
      answer?: Buffer,
    ) => resolve(error === null ? String(answer) : error.code));
  });
}

test.skipIf(isDirect)("calls go by method and metadata; the rest is UNIMPLEMENTED; copies and edits work", async () => {
  const to = (name: string) => [{ name, port: PORT }];
  const edit = { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "x-added", value: "yes" }] } };
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "v2", port: PORT } } };
  const exact = (method: string) => ({ method: { service: "shop.v1.Cart", method } });
  mesh.apply([grpcRoute("r", { kind: "Service", name: "cart" }, [
    { matches: [exact("Get")], filters: [edit], backendRefs: to("v2") },
    { matches: [{ ...exact("Put"), headers: [{ name: "x-version", value: "2" }] }], backendRefs: to("v2") },
    { matches: [exact("Put")], filters: [mirror], backendRefs: to("cart") },
  ])]);
  await eventually(async () => expect(await call("Get")).toBe("v2 yes"));
  expect(await call("Put", { "x-version": "2" })).toBe("v2 ");
  expect(await call("Other")).toBe(grpc.status.UNIMPLEMENTED);
  calls["v2"]?.splice(0);
  expect(await call("Put")).toBe("cart ");
  await eventually(() => expect(calls["v2"]).toEqual(["Put"]));
});

test.skipIf(isDirect)("what is no call goes by no GRPCRoute: 404, or the HTTPRoute beside it", async () => {
  const parent = { kind: "Service", name: "cart" } as const;
  const to = mesh.to("front", `cart:${PORT}`);
  const ask = async (method: string, type: string) => {
    const answer = await fetchOnce(to, "/shop.v1.Cart/Get", { "content-type": type }, method);
    return [answer.status, header(answer, "location") ?? header(answer, "tulle-error")];
  };
  const calls = grpcRoute("r", parent, [{
    matches: [{ method: { service: "shop.v1.Cart", method: "Get" } }],
    backendRefs: [{ name: "v2", port: PORT }],
  }]);
  mesh.apply([calls]);
  await eventually(async () => expect(await call("Get")).toBe("v2 "));
  expect(await ask("GET", "text/plain")).toEqual([404, "no_route"]);
  expect(await ask("POST", "application/json")).toEqual([404, "no_route"]);
  expect(await ask("GET", "application/grpc")).toEqual([200, "no_route"]); // told as calls are: by grpc-status
  const redirect = {
    type: "RequestRedirect",
    requestRedirect: { path: { type: "ReplaceFullPath", replaceFullPath: "/ui" } },
  };
  mesh.apply([calls, httpRoute("h", parent, [{ filters: [redirect] }])]);
  await eventually(async () =>
    expect(await ask("POST", "application/json")).toEqual([302, expect.stringContaining("/ui")])
  );
  expect(await call("Get")).toBe("v2 ");
});

test.skipIf(isDirect)("a backend that does not exist is UNAVAILABLE", async () => {
  mesh.apply([grpcRoute("r", { kind: "Service", name: "cart" }, [{ backendRefs: [{ name: "gone", port: PORT }] }])]);
  await eventually(async () => expect(await call("Get")).toBe(grpc.status.UNAVAILABLE));
});
