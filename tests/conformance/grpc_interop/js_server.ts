/**
 * Interoperability server on @grpc/grpc-js: `js_server.mjs PROTO PORT`.
 */
import * as grpc from "@grpc/grpc-js";
import {
  INITIAL_KEY,
  loadServices,
  type OutputRequest,
  type OutputResponse,
  payload,
  type SimpleRequest,
  type SimpleResponse,
  TRAILING_KEY,
} from "./js_service.ts";

const [, , proto = "", port = ""] = process.argv;

type Unary = grpc.ServerUnaryCall<SimpleRequest, SimpleResponse>;
type Input = grpc.ServerReadableStream<{ payload: { body: Buffer } | null }, { aggregatedPayloadSize: number }>;
type Duplex = grpc.ServerDuplexStream<OutputRequest, OutputResponse>;

/** Sends the head with the metadata asked for; returns the trailers. */
function echoMetadata(call: Unary | Duplex): grpc.Metadata {
  const initial = call.metadata.get(INITIAL_KEY);
  if (initial.length > 0) {
    const head = new grpc.Metadata();
    head.add(INITIAL_KEY, initial[0] ?? "");
    call.sendMetadata(head);
  }
  const trailers = new grpc.Metadata();
  for (const value of call.metadata.get(TRAILING_KEY).slice(0, 1)) trailers.add(TRAILING_KEY, value);
  return trailers;
}

async function sendAll(call: { write(response: OutputResponse): boolean }, request: OutputRequest): Promise<void> {
  for (const { size, intervalUs = 0 } of request.responseParameters ?? []) {
    if (intervalUs > 0) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
    call.write({ payload: payload(size) });
  }
}

function reportOrca(call: Unary): void {
  const report = call.request.orcaPerQueryReport ?? null;
  if (report === null) return;
  const recorder = call.getMetricsRecorder();
  recorder.recordCPUUtilizationMetric(report.cpuUtilization);
  recorder.recordMemoryUtilizationMetric(report.memoryUtilization);
  for (const [name, value] of Object.entries(report.requestCost)) recorder.recordRequestCostMetric(name, value);
  for (const [name, value] of Object.entries(report.utilization)) recorder.recordUtilizationMetric(name, value);
}

const server = new grpc.Server({ "grpc.server_call_metric_recording": 1 });
server.addService(loadServices(proto).TestService.service, {
  EmptyCall(_call: unknown, answer: grpc.sendUnaryData<object>) {
    answer(null, {});
  },
  UnaryCall(call: Unary, answer: grpc.sendUnaryData<SimpleResponse>) {
    const trailers = echoMetadata(call);
    const { responseStatus = null, responseSize = 0, fillServerId = false } = call.request;
    if (responseStatus !== null && responseStatus.code !== 0) {
      return answer({ code: responseStatus.code, details: responseStatus.message }, null, trailers);
    }
    reportOrca(call);
    answer(null, { payload: payload(responseSize), serverId: fillServerId ? "the only one" : "" }, trailers);
  },
  async StreamingOutputCall(call: grpc.ServerWritableStream<OutputRequest, OutputResponse>) {
    await sendAll(call, call.request);
    call.end();
  },
  StreamingInputCall(call: Input, answer: grpc.sendUnaryData<{ aggregatedPayloadSize: number }>) {
    let aggregatedPayloadSize = 0;
    call.on("data", (request) => aggregatedPayloadSize += request.payload?.body.length ?? 0);
    call.on("end", () => answer(null, { aggregatedPayloadSize }));
  },
  FullDuplexCall(call: Duplex) {
    const trailers = echoMetadata(call);
    // One answer after another, although an answer may take its time.
    let last: Promise<unknown> = Promise.resolve();
    call.on("error", () => {}); // cancelled
    call.on("data", (request: OutputRequest) => {
      const { responseStatus = null } = request;
      if (responseStatus !== null && responseStatus.code !== 0) {
        call.emit("error", { code: responseStatus.code, details: responseStatus.message, metadata: trailers });
      } else last = last.then(() => sendAll(call, request));
    });
    call.on("end", () => void last.then(() => call.end(trailers)));
  },
  HalfDuplexCall(call: Duplex) {
    const requests: OutputRequest[] = [];
    call.on("data", (request: OutputRequest) => requests.push(request));
    call.on("end", async () => {
      for (const request of requests) await sendAll(call, request);
      call.end();
    });
  },
});
server.bindAsync(`0.0.0.0:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log("ready");
});
