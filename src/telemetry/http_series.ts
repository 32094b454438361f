/** Requests and responses of one route to or from one kind of peer: the golden metrics. */
import type { Droppable, IdleTracker } from "./idle.ts";
import { LATENCY_MS_BOUNDS } from "./histogram.ts";
import { type Labels, labelText } from "./labels.ts";
import type { Family, Registry } from "./registry.ts";

/** The families of the golden metrics. */
export interface HttpFamilies {
  readonly requests: Family;
  readonly responses: Family;
  readonly latencyMs: Family;
}

/** gRPC status when there was none. */
export const NO_GRPC_STATUS = -1;
/** Codes of gRPC are 0–16; others are counted as 2, UNKNOWN, as clients treat them. */
const MAX_GRPC_STATUS = 16;
const GRPC_UNKNOWN = 2;

interface ResponseSeries {
  readonly text: string;
  readonly handle: number;
}

export class HttpSeries implements Droppable {
  readonly #registry: Registry;
  readonly #idle: IdleTracker;
  readonly #families: HttpFamilies;
  readonly #text: string;
  #request = -1;
  #latency = -1;
  /** (status, gRPC status, outcome) as one number → series. */
  readonly #responses = new Map<number, ResponseSeries>();
  /** The same for responses that a proxy made, by reason code as well. */
  readonly #failures = new Map<string, ResponseSeries>();
  #lastKey = -1;
  #lastHandle = -1;

  constructor(registry: Registry, idle: IdleTracker, families: HttpFamilies, labels: Labels) {
    this.#registry = registry;
    this.#idle = idle;
    this.#families = families;
    this.#text = labelText(labels);
  }

  /** A request's head has arrived. */
  onRequest(): void {
    if (this.#request < 0) this.#open();
    this.#registry.add(this.#request, 1);
  }

  /**
   * A response has ended, or will not come.
   * @param status HTTP status; 0 when the stream was reset before there was one
   * @param grpcStatus from the trailers, or NO_GRPC_STATUS
   * @param latencyMs from the request's head to the response's head
   * @param isSuccess classification: no 5xx, no failing gRPC status, not cut short
   * @param error reason code when the proxy itself answered or gave up, otherwise ""
   */
  onResponse(status: number, grpcStatus: number, latencyMs: number, isSuccess: boolean, error: string = ""): void {
    if (this.#request < 0) this.#open();
    const key = (status << 6) | (knownGrpcStatus(grpcStatus) + 1 << 1) | (isSuccess ? 1 : 0);
    const registry = this.#registry;
    if (error !== "") registry.add(this.#failure(key, status, grpcStatus, isSuccess, error), 1);
    else {
      if (key !== this.#lastKey) this.#select(key, status, grpcStatus, isSuccess);
      registry.add(this.#lastHandle, 1);
    }
    registry.observe(this.#latency, LATENCY_MS_BOUNDS, latencyMs);
  }

  get isOpen(): boolean {
    return this.#request >= 0;
  }

  activity(): number {
    const values = this.#registry.values;
    let sum = values[this.#request] ?? 0;
    for (const { handle } of this.#responses.values()) sum += values[handle] ?? 0;
    for (const { handle } of this.#failures.values()) sum += values[handle] ?? 0;
    return sum;
  }

  drop(): void {
    const { requests, responses, latencyMs } = this.#families;
    this.#registry.close(requests, this.#text, this.#request);
    this.#registry.close(latencyMs, this.#text, this.#latency);
    for (const { text, handle } of this.#responses.values()) this.#registry.close(responses, text, handle);
    for (const { text, handle } of this.#failures.values()) this.#registry.close(responses, text, handle);
    this.#responses.clear();
    this.#failures.clear();
    this.#request = -1;
    this.#latency = -1;
    this.#lastKey = -1;
  }

  #open(): void {
    this.#request = this.#registry.openText(this.#families.requests, this.#text);
    this.#latency = this.#registry.openText(this.#families.latencyMs, this.#text);
    this.#idle.track(this);
  }

  #select(key: number, status: number, grpcStatus: number, isSuccess: boolean): void {
    let series = this.#responses.get(key);
    if (series === undefined) {
      series = this.#openResponse(status, grpcStatus, isSuccess, "");
      this.#responses.set(key, series);
    }
    this.#lastKey = key;
    this.#lastHandle = series.handle;
  }

  #failure(key: number, status: number, grpcStatus: number, isSuccess: boolean, error: string): number {
    const name = `${key} ${error}`;
    let series = this.#failures.get(name);
    if (series === undefined) {
      series = this.#openResponse(status, grpcStatus, isSuccess, error);
      this.#failures.set(name, series);
    }
    return series.handle;
  }

  #openResponse(status: number, grpcStatus: number, isSuccess: boolean, error: string): ResponseSeries {
    const extra = labelText([
      ["status_code", status === 0 ? "" : String(status)],
      ["classification", isSuccess ? "success" : "failure"],
      ["grpc_status", grpcStatus === NO_GRPC_STATUS ? "" : String(knownGrpcStatus(grpcStatus))],
      ["error", error],
    ]);
    const text = this.#text === "" ? extra : `${this.#text},${extra}`;
    return { text, handle: this.#registry.openText(this.#families.responses, text) };
  }
}

function knownGrpcStatus(status: number): number {
  return status <= MAX_GRPC_STATUS ? status : GRPC_UNKNOWN;
}
