/**
 * Interoperability client on @grpc/grpc-js: `js_client.mjs PROTO HOST:PORT CASE…` runs the cases one after another, each
 * with a channel of its own, and prints a line of JSON for each: {case, error}. `error` is "" when the case held.
 */
import * as grpc from "@grpc/grpc-js";
import {
  INITIAL_KEY,
  loadServices,
  ORCA_KEY,
  type OutputRequest,
  type OutputResponse,
  payload,
  type SimpleRequest,
  type SimpleResponse,
  TRAILING_KEY,
} from "./js_service.ts";

/** Sizes and texts that the published descriptions of the cases name. */
const LARGE_REQUEST = 271_828;
const LARGE_RESPONSE = 314_159;
const REQUESTS = [27_182, 8, 1828, 45_904];
const RESPONSES = [31_415, 9, 2653, 58_979];
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const TRAILING = Buffer.from("0a0b0a0b0a0b", "hex");
const SOAK_CALLS = 100;
/** Longest time for one case. */
const CASE_MS = 30_000;

const [, , proto = "", address = "", ...cases] = process.argv;
const services = loadServices(proto);

interface Outcome<Response> {
  readonly status: grpc.StatusObject;
  readonly head: grpc.Metadata | null;
  readonly messages: readonly Response[];
}

/** What a case needs: a channel that is closed behind it. */
class Peer {
  readonly client: grpc.Client;

  constructor(options: grpc.ClientOptions, service: keyof typeof services = "TestService") {
    this.client = new services[service](address, grpc.credentials.createInsecure(), options);
  }

  unary(method: string, request: unknown, more: { metadata?: grpc.Metadata } & grpc.CallOptions = {}) {
    const { metadata = new grpc.Metadata(), ...options } = more;
    const { requestSerialize, responseDeserialize } = methodOf(method);
    const call = this.client.makeUnaryRequest(
      `/grpc.testing.${method}`,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      (_error, value) => messages.push(...value === undefined ? [] : [value as SimpleResponse]),
    );
    const messages: SimpleResponse[] = [];
    return outcome(call, messages);
  }

  input(metadata = new grpc.Metadata()): { call: grpc.ClientWritableStream<unknown>; done: Promise<Outcome<unknown>> } {
    const { requestSerialize, responseDeserialize } = methodOf("TestService/StreamingInputCall");
    const messages: unknown[] = [];
    const call = this.client.makeClientStreamRequest(
      "/grpc.testing.TestService/StreamingInputCall",
      requestSerialize,
      responseDeserialize,
      metadata,
      (_error, value) => messages.push(...value === undefined ? [] : [value]),
    );
    return { call, done: outcome(call, messages) };
  }

  output(request: OutputRequest): Promise<Outcome<OutputResponse>> {
    const { requestSerialize, responseDeserialize } = methodOf("TestService/StreamingOutputCall");
    const messages: OutputResponse[] = [];
    const call = this.client.makeServerStreamRequest(
      "/grpc.testing.TestService/StreamingOutputCall",
      requestSerialize,
      responseDeserialize,
      request,
    );
    call.on("data", (message) => messages.push(message));
    call.on("error", () => {}); // the status says it
    return outcome(call, messages);
  }

  duplex(metadata = new grpc.Metadata(), options: grpc.CallOptions = {}, method = "FullDuplexCall") {
    const { requestSerialize, responseDeserialize } = methodOf(`TestService/${method}`);
    const messages: OutputResponse[] = [];
    const call = this.client.makeBidiStreamRequest(
      `/grpc.testing.TestService/${method}`,
      requestSerialize,
      responseDeserialize,
      metadata,
      options,
    ) as grpc.ClientDuplexStream<OutputRequest, OutputResponse>;
    let wake = () => {};
    call.on("data", (message) => {
      messages.push(message);
      wake();
    });
    call.on("error", () => wake()); // the status says it
    call.on("end", () => wake());
    const received = async (count: number) => {
      while (messages.length < count) {
        const grown = new Promise<void>((resolve) => wake = resolve);
        await grown;
        if (messages.length < count && (call.destroyed || call.readableEnded)) {
          throw new Error("the stream ended early");
        }
      }
    };
    return { call, received, done: outcome(call, messages) };
  }
}

function methodOf(path: string): grpc.MethodDefinition<unknown, unknown> {
  const [service, method = ""] = path.split("/");
  const found = services[service as keyof typeof services].service[method];
  if (found === undefined) throw new Error(`no method ${path}`);
  return found as grpc.MethodDefinition<unknown, unknown>;
}

type Call = {
  on(event: "metadata", listener: (head: grpc.Metadata) => void): unknown;
  on(event: "status", listener: (status: grpc.StatusObject) => void): unknown;
};

function outcome<Response>(call: Call, messages: Response[]): Promise<Outcome<Response>> {
  let head: grpc.Metadata | null = null;
  call.on("metadata", (found) => head = found);
  // The callback of a unary call may come behind the status.
  return new Promise((resolve) =>
    call.on("status", (status) => setImmediate(() => resolve({ status, head, messages })))
  );
}

function same(what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

function isOk({ status }: Outcome<unknown>): void {
  if (status.code !== grpc.status.OK) throw new Error(`status ${status.code}: ${status.details}`);
}

const size = (response: { readonly payload?: { readonly body: Buffer } | null } | undefined) =>
  response?.payload?.body.length ?? -1;

async function largeUnary(peer: Peer): Promise<void> {
  const request: SimpleRequest = { responseSize: LARGE_RESPONSE, payload: payload(LARGE_REQUEST) };
  const result = await peer.unary("TestService/UnaryCall", request);
  isOk(result);
  same("size", size(result.messages[0]), LARGE_RESPONSE);
}

function echoed(result: Outcome<unknown>): void {
  isOk(result);
  same("initial metadata", result.head?.get(INITIAL_KEY), ["test_initial_metadata_value"]);
  same("trailing metadata", result.status.metadata.get(TRAILING_KEY), [TRAILING]);
}

const CASES: Readonly<Record<string, (peer: Peer) => Promise<void>>> = {
  async empty_unary(peer) {
    const result = await peer.unary("TestService/EmptyCall", {});
    isOk(result);
    same("messages", result.messages, [{}]);
  },
  large_unary: largeUnary,
  async client_streaming(peer) {
    const { call, done } = peer.input();
    for (const bytes of REQUESTS) call.write({ payload: payload(bytes) });
    call.end();
    const result = await done;
    isOk(result);
    same("sum", result.messages, [{ aggregatedPayloadSize: 74_922 }]);
  },
  async server_streaming(peer) {
    const result = await peer.output({ responseParameters: RESPONSES.map((bytes) => ({ size: bytes })) });
    isOk(result);
    same("sizes", result.messages.map(size), RESPONSES);
  },
  async ping_pong(peer) {
    const { call, received, done } = peer.duplex();
    for (const [at, bytes] of REQUESTS.entries()) {
      call.write({ responseParameters: [{ size: RESPONSES[at] ?? 0 }], payload: payload(bytes) });
      await received(at + 1);
    }
    call.end();
    const result = await done;
    isOk(result);
    same("sizes", result.messages.map(size), RESPONSES);
  },
  async half_duplex(peer) {
    const { call, done } = peer.duplex(undefined, {}, "HalfDuplexCall");
    for (const bytes of RESPONSES) call.write({ responseParameters: [{ size: bytes }], payload: payload(1) });
    call.end();
    const result = await done;
    isOk(result);
    same("sizes", result.messages.map(size), RESPONSES);
  },
  async empty_stream(peer) {
    const { call, done } = peer.duplex();
    call.end();
    const result = await done;
    isOk(result);
    same("messages", result.messages, []);
  },
  async timeout_on_sleeping_server(peer) {
    const { call, done } = peer.duplex(undefined, { deadline: Date.now() + 1 });
    call.write({ payload: payload(27_182) });
    same("status", (await done).status.code, grpc.status.DEADLINE_EXCEEDED);
  },
  async cancel_after_begin(peer) {
    const { call, done } = peer.input();
    setImmediate(() => call.cancel());
    same("status", (await done).status.code, grpc.status.CANCELLED);
  },
  async cancel_after_first_response(peer) {
    const { call, received, done } = peer.duplex();
    call.write({ responseParameters: [{ size: 31_415 }], payload: payload(27_182) });
    await received(1);
    call.cancel();
    same("status", (await done).status.code, grpc.status.CANCELLED);
  },
  async status_code_and_message(peer) {
    const responseStatus = { code: 2, message: "test status message" };
    const unary = await peer.unary("TestService/UnaryCall", { responseStatus });
    same("unary", [unary.status.code, unary.status.details], [2, responseStatus.message]);
    const { call, done } = peer.duplex();
    call.write({ responseStatus });
    call.end();
    const { status } = await done;
    same("duplex", [status.code, status.details], [2, responseStatus.message]);
  },
  async special_status_message(peer) {
    const { status } = await peer.unary("TestService/UnaryCall", { responseStatus: { code: 2, message: SPECIAL } });
    same("status", [status.code, status.details], [2, SPECIAL]);
  },
  async unimplemented_method(peer) {
    const { status } = await peer.unary("TestService/UnimplementedCall", {});
    same("status", status.code, grpc.status.UNIMPLEMENTED);
  },
  async unimplemented_service() {
    const peer = new Peer({}, "UnimplementedService");
    const { status } = await peer.unary("UnimplementedService/UnimplementedCall", {});
    peer.client.close();
    same("status", status.code, grpc.status.UNIMPLEMENTED);
  },
  async custom_metadata(peer) {
    const metadata = new grpc.Metadata();
    metadata.add(INITIAL_KEY, "test_initial_metadata_value");
    metadata.add(TRAILING_KEY, TRAILING);
    const request = { responseSize: 1, payload: payload(1) };
    echoed(await peer.unary("TestService/UnaryCall", request, { metadata }));
    const { call, done } = peer.duplex(metadata);
    call.write({ responseParameters: [{ size: 1 }], payload: payload(1) });
    call.end();
    echoed(await done);
  },
  async client_compressed_unary() {
    const peer = new Peer({ "grpc.default_compression_algorithm": 2 });
    try {
      await largeUnary(peer);
    } finally {
      peer.client.close();
    }
  },
  async client_compressed_streaming() {
    const peer = new Peer({ "grpc.default_compression_algorithm": 1 });
    const { call, done } = peer.input();
    for (const bytes of REQUESTS) call.write({ payload: payload(bytes) });
    call.end();
    const result = await done;
    peer.client.close();
    isOk(result);
    same("sum", result.messages, [{ aggregatedPayloadSize: 74_922 }]);
  },
  async orca_per_rpc(peer) {
    const { status } = await peer.unary("TestService/UnaryCall", {
      orcaPerQueryReport: {
        cpuUtilization: 0.821,
        memoryUtilization: 0.5847,
        requestCost: { cost: 3456.32 },
        utilization: { util: 0.30499 },
      },
    });
    const report = status.metadata.get(ORCA_KEY);
    same("reports", report.length, 1);
    // cpu_utilization is field 1, a double: 0x09 and eight bytes.
    const bytes = report[0] as Buffer;
    const at = bytes.indexOf(9);
    same("cpu_utilization", bytes.readDoubleLE(at + 1), 0.821);
  },
  async pick_first_unary(peer) {
    const ids = new Set<string>();
    for (let at = 0; at < 100; at++) {
      const result = await peer.unary("TestService/UnaryCall", { responseSize: 1, fillServerId: true });
      isOk(result);
      ids.add(result.messages[0]?.serverId ?? "");
    }
    same("servers", ids.size, 1);
    if (ids.has("")) throw new Error("the server says no ID");
  },
  async rpc_soak(peer) {
    for (let at = 0; at < SOAK_CALLS; at++) await largeUnary(peer);
  },
  async channel_soak() {
    for (let at = 0; at < SOAK_CALLS; at++) {
      const peer = new Peer({ "grpc.use_local_subchannel_pool": 1 });
      await largeUnary(peer);
      peer.client.close();
    }
  },
};

/** Names of all cases, for the suite. */
if (cases.length === 0) console.log(JSON.stringify(Object.keys(CASES)));
for (const name of cases) {
  const peer = new Peer({ "grpc.use_local_subchannel_pool": 1 });
  let error = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const run = CASES[name];
    if (run === undefined) throw new Error("no such case");
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${CASE_MS} ms`)), CASE_MS);
    });
    await Promise.race([run(peer), late]);
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
  }
  clearTimeout(timer);
  peer.client.close();
  console.log(JSON.stringify({ case: name, error }));
}
process.exit(0);
