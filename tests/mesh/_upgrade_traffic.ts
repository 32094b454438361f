/** gRPC and opaque TCP for the upgrade tests: loads that count every failure, and streams that must not be cut. */
import * as grpc from "@grpc/grpc-js";
import type { LoadReport, RunningLoad } from "../support/http_load.ts";
import type { Endpoint } from "../support/mesh.ts";
import { connectTcp } from "../support/tcp.ts";

const raw = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (bytes: Buffer) => bytes,
};
const SERVICE = {
  Echo: { path: "/shop.v1.Echo/Echo", requestStream: false, responseStream: false, ...raw },
  Both: { path: "/shop.v1.Echo/Both", requestStream: true, responseStream: true, ...raw },
};
const Client = grpc.makeGenericClientConstructor(SERVICE, "Echo");
/** Pause between two messages of a stream. */
const PAUSE_MS = 5;

export async function serveGrpc(host: string, port: number): Promise<Disposable> {
  const server = new grpc.Server();
  server.addService(SERVICE, {
    Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
      answer(null, call.request),
    Both(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on("data", (chunk: Buffer) => call.write(chunk));
      call.on("end", () => call.end());
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return { [Symbol.dispose]: () => server.forceShutdown() };
}

function clientOf(target: Endpoint): InstanceType<typeof Client> {
  // A channel of its own: otherwise all clients would share one connection.
  return new Client(target.authority, grpc.credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
}

/** Counts what goes well and what does not, until it is stopped. */
async function repeat(stopped: () => boolean, count: Counts, work: () => Promise<void>): Promise<void> {
  while (!stopped()) {
    try {
      await work();
      count.ok++;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      count.reasons[reason] = (count.reasons[reason] ?? 0) + 1;
      await Bun.sleep(PAUSE_MS);
    }
  }
}

interface Counts {
  ok: number;
  readonly reasons: Record<string, number>;
}

function loadOf(count: Counts, all: Promise<unknown>, stop: () => void): RunningLoad {
  return {
    ok: () => count.ok,
    async stop(): Promise<LoadReport> {
      stop();
      await all;
      const failed = Object.values(count.reasons).reduce((sum, n) => sum + n, 0);
      return { ok: count.ok, failed, reasons: count.reasons, longestGapMs: 0 };
    },
  };
}

/** Unary calls on one channel, and on a new one each time. */
export function startGrpcLoad(target: Endpoint): RunningLoad {
  const count: Counts = { ok: 0, reasons: {} };
  let stopped = false;
  const kept = clientOf(target);
  const call = (client: InstanceType<typeof Client>) =>
    new Promise<void>((resolve, reject) => {
      const echo = client["Echo"] as (body: Buffer, done: grpc.requestCallback<Buffer>) => void; // as SERVICE says
      echo.call(client, Buffer.from("ping"), (error) => error === null ? resolve() : reject(error));
    });
  const all = Promise.all([
    repeat(() => stopped, count, () => call(kept)),
    repeat(() => stopped, count, async () => {
      const client = clientOf(target);
      try {
        await call(client);
      } finally {
        client.close();
      }
    }),
  ]);
  return loadOf(count, all.then(() => kept.close()), () => stopped = true);
}

/** Opaque connections, one after the other: each sends something, reads it back, and ends in order. */
export function startOpaqueLoad(target: Endpoint, connections: number): RunningLoad {
  const count: Counts = { ok: 0, reasons: {} };
  let stopped = false;
  const one = () =>
    repeat(() => stopped, count, async () => {
      using peer = await connectTcp(target);
      await peer.write("x".repeat(5_000));
      peer.end();
      const echo = await peer.readAll();
      if (echo.length !== 5_000) throw new Error(`${echo.length} of 5000 bytes came back`);
    });
  return loadOf(count, Promise.all(Array.from({ length: connections }, one)), () => stopped = true);
}

export interface RunningStream {
  /** Ends it in order. `error`: why it broke before, or "". */
  stop(): Promise<{ readonly echoes: number; readonly error: string }>;
}

/** A bidirectional gRPC stream on a channel of its own; each message is sent when the one before has come back. */
export function startGrpcStream(target: Endpoint): RunningStream {
  const client = clientOf(target);
  const open = client["Both"] as () => grpc.ClientDuplexStream<Buffer, Buffer>; // as SERVICE says
  const stream = open.call(client);
  const ended = Promise.withResolvers<string>();
  let echoes = 0;
  let stopped = false;
  const next = () => {
    if (stopped) stream.end();
    else stream.write(Buffer.from(`message ${echoes}`));
  };
  stream.on("data", (chunk: Buffer) => {
    if (chunk.toString() !== `message ${echoes}`) return ended.resolve(`out of order: ${chunk} as number ${echoes}`);
    echoes++;
    setTimeout(next, PAUSE_MS);
  });
  stream.on("error", (error) => ended.resolve(error.message));
  stream.on("end", () => ended.resolve(stopped ? "" : "the server ended the stream"));
  next();
  return {
    async stop() {
      stopped = true;
      const error = await ended.promise;
      client.close();
      return { echoes, error };
    },
  };
}

/** The same over an opaque connection. */
export function startOpaqueStream(target: Endpoint): RunningStream {
  let echoes = 0;
  let stopped = false;
  const run = async () => {
    using peer = await connectTcp(target);
    for (; !stopped; echoes++) {
      const text = `message ${echoes}\n`;
      await peer.write(text);
      let echo = "";
      while (!echo.endsWith("\n")) {
        const chunk = await peer.read();
        if (chunk === null) return "the server ended the stream";
        echo += Buffer.from(chunk).toString();
      }
      if (echo !== text) return `${JSON.stringify(echo)} came back for ${JSON.stringify(text)}`;
      await Bun.sleep(PAUSE_MS);
    }
    peer.end();
    return (await peer.read()) === null ? "" : "something came after the end";
  };
  const done = run().catch((cause) => cause instanceof Error ? cause.message : String(cause));
  return {
    async stop() {
      stopped = true;
      return { error: await done, echoes };
    },
  };
}
