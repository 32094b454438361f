/** Closed-loop HTTP load by h2load, with latencies from its log, and a mark when the measured time begins and ends. */
import { readFileSync, rmSync } from "node:fs";
import { findProgram, startProcess } from "../../support/process.ts";
import type { LoadResult, Marks } from "./result.ts";
import { latencyOf } from "./result.ts";

export interface H2loadOptions {
  readonly url: string;
  readonly protocol: "h1" | "h2";
  readonly clients: number;
  readonly streams: number;
  readonly warmMs: number;
  readonly runMs: number;
  readonly core: number;
  /** File for its log of requests; removed afterwards. */
  readonly log: string;
}

/** Runs h2load once; `marks` are called when it says that the measured time begins and ends. */
export async function runH2load(options: H2loadOptions, marks: Marks): Promise<LoadResult> {
  const program = findProgram("h2load");
  if (program === null) throw new Error("bench: h2load is missing; install it with: apt-get install nghttp2-client");
  rmSync(options.log, { force: true });
  await using child = startProcess({
    argv: [
      "stdbuf",
      "-oL",
      program,
      ...(options.protocol === "h1" ? ["--h1"] : []),
      `-c${options.clients}`,
      `-m${options.streams}`,
      "-t1",
      `--warm-up-time=${options.warmMs}ms`,
      `-D${options.runMs}ms`,
      `--log-file=${options.log}`,
      options.url,
    ],
    name: "h2load",
    core: options.core,
  });
  const limitMs = options.warmMs + options.runMs + 10_000;
  try {
    await child.waitForOutput(/Main benchmark duration is started/, limitMs);
    marks.begin();
    await child.waitForOutput(/Main benchmark duration is over/, limitMs);
    marks.end();
    await child.waitForOutput(/time for request/, limitMs);
  } catch (cause) {
    const text = child.output().trim().split("\n").slice(-3).join(" | ");
    throw new Error(`h2load did not finish: ${text}`, { cause });
  }
  await child.exited;
  const requests = /requests: .*? (\d+) done, \d+ succeeded, (\d+) failed, \d+ errored, (\d+) timeout/.exec(
    child.output(),
  );
  const statuses = /status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(child.output());
  const failures = [requests?.[2], requests?.[3], statuses?.[1], statuses?.[2], statuses?.[3]];
  const latencies = readLatencies(options.log);
  rmSync(options.log, { force: true });
  return {
    count: Number(requests?.[1] ?? 0),
    seconds: options.runMs / 1000,
    failed: failures.reduce((sum, value) => sum + Number(value ?? 0), 0),
    ...latencyOf(latencies),
  };
}

/** Third column of each line: microseconds of one request. */
function readLatencies(file: string): Float64Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return new Float64Array(0); // no request ended
  }
  const values: number[] = [];
  let column = 0;
  let value = 0;
  for (const byte of bytes) {
    if (byte === 10) {
      values.push(value);
      column = 0;
      value = 0;
    } else if (byte === 9) {
      column++;
      value = 0;
    } else if (column === 2) value = value * 10 + byte - 48;
  }
  return Float64Array.from(values);
}
