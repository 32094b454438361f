/** The interoperability service for @grpc/grpc-js: what its server and its client share. Runs on Node.js. */
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export interface Payload {
  readonly type: string;
  readonly body: Buffer;
}

export interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

export interface OrcaReport {
  readonly cpuUtilization: number;
  readonly memoryUtilization: number;
  readonly requestCost: Readonly<Record<string, number>>;
  readonly utilization: Readonly<Record<string, number>>;
}

export interface SimpleRequest {
  readonly responseSize?: number;
  readonly payload?: Payload;
  readonly responseStatus?: EchoStatus | null;
  readonly fillServerId?: boolean;
  readonly orcaPerQueryReport?: OrcaReport | null;
}

export interface SimpleResponse {
  readonly payload?: Payload | null;
  readonly serverId?: string;
}

export interface OutputRequest {
  readonly responseParameters?: readonly { readonly size: number; readonly intervalUs?: number }[];
  readonly payload?: Payload;
  readonly responseStatus?: EchoStatus | null;
}

export interface OutputResponse {
  readonly payload: Payload | null;
}

/** Metadata that a server sends back: in the head, and in the trailers. */
export const INITIAL_KEY = "x-grpc-test-echo-initial";
export const TRAILING_KEY = "x-grpc-test-echo-trailing-bin";
export const ORCA_KEY = "endpoint-load-metrics-bin";

interface Loaded {
  readonly grpc: {
    readonly testing: Readonly<Record<"TestService" | "UnimplementedService", grpc.ServiceClientConstructor>>;
  };
}

/** @param proto path of test.proto */
export function loadServices(proto: string): Loaded["grpc"]["testing"] {
  const definition = loadSync(proto, { defaults: true, enums: String });
  return (grpc.loadPackageDefinition(definition) as unknown as Loaded).grpc.testing; // what the file declares
}

/** Bytes of zero, as the test cases want them. */
export function payload(size: number): Payload {
  return { type: "COMPRESSABLE", body: Buffer.alloc(size) };
}
