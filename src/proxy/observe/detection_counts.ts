/** Counts what connections turned out to be. The series are looked up once, as there is one look for each connection. */
import type { Direction, ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import type { CounterSeries } from "../../telemetry/series.ts";
import type { Detected } from "./observe.ts";

interface Counts {
  readonly result: CounterSeries;
  /** Null for a connection that ended before it was known. */
  readonly protocol: CounterSeries | null;
}

export class DetectionCounts {
  readonly #metrics: ProxyMetrics;
  readonly #direction: Direction;
  readonly #counts = new Map<Detected, Counts>();

  constructor(metrics: ProxyMetrics, direction: Direction) {
    this.#metrics = metrics;
    this.#direction = direction;
  }

  add(detected: Detected): void {
    let counts = this.#counts.get(detected);
    if (counts === undefined) this.#counts.set(detected, counts = this.#make(detected));
    counts.result.add(1);
    counts.protocol?.add(1);
  }

  #make(detected: Detected): Counts {
    const metrics = this.#metrics;
    const direction = this.#direction;
    if (detected === "closed") return { result: metrics.detections(direction, "error"), protocol: null };
    const protocol = metrics.protocolConnections(direction, protocolOf(detected));
    return { result: metrics.detections(direction, detected), protocol };
  }
}

function protocolOf(detected: Detected): "http/1" | "http/2" | "opaq" {
  return detected === "http/1" || detected === "http/2" ? detected : "opaq";
}
