/** What an attack is, and how one is run and judged. */
import { cpuNs, memory } from "../support/proc.ts";
import type { Place, Rig } from "./_rig.ts";

export interface Attack {
  readonly name: string;
  readonly place: Place;
  /** What each sidecar's private memory may grow by at most, MB, and why so much. */
  readonly boundMb: number;
  /** Reason codes of which at least one must have been counted; none: the attack is absorbed, nothing is refused. */
  readonly refusals: readonly string[];
  /** Below the full size nothing may have to be refused. */
  readonly isAbsorbedWhenSmall?: true;
  /** Attacks. @returns what else there is to say, or nothing; it throws when the sidecar did something wrong */
  run(rig: Rig, scale: Scale): Promise<string | void>;
}

/** How much of the full size is run. */
export class Scale {
  readonly share: number;

  /** @param share 1 for the full size */
  constructor(share: number) {
    this.share = share;
  }

  /** So many of `full`, at least `least`. */
  of(full: number, least = 1): number {
    return Math.max(least, Math.round(full * this.share));
  }
}

export interface Row {
  readonly attack: string;
  readonly where: Place;
  /** MB that each sidecar may grow by. */
  readonly bound: number;
  /** MB by which the one that grew most did. */
  readonly measured: number;
  readonly beforeMb: readonly number[];
  readonly peakMb: readonly number[];
  readonly afterMb: readonly number[];
  readonly othersOk: number;
  readonly othersFailed: number;
  readonly othersP50Ms: number;
  readonly othersP99Ms: number;
  readonly othersMaxMs: number;
  /** CPU time of both sidecars during the attack, ms. */
  readonly cpuMs: number;
  readonly seconds: number;
  /** Refusals by reason that were counted. */
  readonly refused: Readonly<Record<string, number>>;
  readonly note: string;
  readonly ok: boolean;
  /** Why not. */
  readonly problems: readonly string[];
}

/** Others are watched for a moment longer, so that each attack has some of them. */
const WATCH_MS = 200;
/** Longest wait of a bystander's request, ms. A sanity bound: the latencies themselves are recorded, not judged. */
export const MAX_WAIT_MS = 2_000;

/** Runs one attack under a bystander's eyes. */
export async function runAttack(rig: Rig, attack: Attack, scale: Scale, maxWaitMs: number): Promise<Row> {
  const { pids } = rig;
  await rig.bystander();
  const refusedBefore = await refusals(rig);
  const beforeMb = pids.map((pid) => memory([pid]).anonMb);
  const cpuBefore = cpuNs(pids);
  const startMs = performance.now();
  const problems: string[] = [];
  let note = "";
  try {
    note = await attack.run(rig, scale) ?? "";
  } catch (cause) {
    problems.push(cause instanceof Error ? cause.message : String(cause));
  }
  await Bun.sleep(WATCH_MS);
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = (cpuNs(pids) - cpuBefore) / 1e6;
  const report = await rig.bystander();
  const afterMb = pids.map((pid) => memory([pid]).anonMb);
  const hasEnded = pids.join() !== rig.pids.join() || afterMb.includes(0);
  const refused = hasEnded ? {} : difference(await refusals(rig), refusedBefore);
  const measured = Math.max(...report.peakMb.map((peak, at) => peak - (beforeMb[at] ?? 0)));
  if (measured > attack.boundMb) problems.push(`memory grew by ${measured.toFixed(1)} MB`);
  if (report.failed > 0) problems.push(`${report.failed} requests of others failed: ${JSON.stringify(report.reasons)}`);
  if (report.ok === 0) problems.push("others were not served at all");
  if (report.maxMs > maxWaitMs) problems.push(`a request of others took ${report.maxMs} ms`);
  if (hasEnded) problems.push(`a sidecar ended: ${rig.output()}`);
  const isExpected = attack.refusals.length > 0 && !(attack.isAbsorbedWhenSmall === true && scale.share < 1);
  if (isExpected && !attack.refusals.some((reason) => (refused[reason] ?? 0) > 0)) {
    problems.push(`nothing was refused as ${attack.refusals.join(" or ")}, but: ${JSON.stringify(refused)}`);
  }
  return {
    attack: attack.name,
    where: attack.place,
    bound: attack.boundMb,
    measured: round(measured),
    beforeMb: beforeMb.map(round),
    peakMb: report.peakMb.map(round),
    afterMb: afterMb.map(round),
    othersOk: report.ok,
    othersFailed: report.failed,
    othersP50Ms: report.p50Ms,
    othersP99Ms: report.p99Ms,
    othersMaxMs: report.maxMs,
    cpuMs: Math.round(cpuMs),
    seconds: round(seconds),
    refused,
    note,
    ok: problems.length === 0,
    problems,
  };
}

/** Counters whose label says why something was refused. */
const REFUSALS =
  /^(?:inbound|outbound)_(?:http|tcp)_errors_total\{error="([^"]+)"\}|^tulle_refusals_total\{.*reason="([^"]+)"|^inbound_tcp_transport_header_total\{result="([^"]+)"\}/;

async function refusals(rig: Rig): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const line of await rig.metrics()) {
    const found = REFUSALS.exec(line);
    const reason = found?.[1] ?? found?.[2] ?? found?.[3];
    if (reason !== undefined && reason !== "ok") out[reason] = (out[reason] ?? 0) + Number(line.split(" ").at(-1));
  }
  return out;
}

function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [reason, count] of Object.entries(after)) {
    const more = count - (before[reason] ?? 0);
    if (more > 0) out[reason] = more;
  }
  return out;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
