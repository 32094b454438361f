/** Carries out `--prove`: watches the wire from the start, measures over a window, asks as others would, and says what held. */
import { Errno, SystemError } from "../../../../src/capture/system_error.ts";
import { BRIDGE, insideOf } from "../fabric.ts";
import type { Scrape } from "../mesh_stats.ts";
import type { MeshRun } from "../mesh_run.ts";
import { selfCommand } from "../plan.ts";
import type { Progress } from "../progress.ts";
import type { Claim, Request } from "./claims.ts";
import { type Answer, PROBE_VARIABLE } from "./probe_client.ts";
import {
  judgeAnswered,
  judgeCounted,
  judgeRefused,
  judgeShare,
  judgeSuccess,
  judgeTcp,
  judgeWire,
  type Verdict,
} from "./verdicts.ts";
import { WireWatch } from "./wire_watch.ts";

/** A probe gives up before this by itself. */
const PROBE_TIMEOUT_MS = 15_000;

/** What became of a claim. */
export interface ClaimResult {
  readonly claim: string;
  /** null: it was left out, as what it is about does not run. */
  readonly holds: boolean | null;
  readonly evidence: string;
}

/** A sidecar whose metrics are missing would count as one that got nothing. */
const SCRAPE_TRIES = 5;

export class Proof implements Disposable {
  readonly #run: MeshRun;
  readonly #claims: readonly Claim[];
  readonly #minSuccessPercent: number;
  readonly #progress: Progress;
  readonly #watch: WireWatch | null;
  readonly #noWatch: string;
  #before: Scrape[] = [];

  /** Starts to watch the wire; call it before the sidecars start, so that every connection is seen from its first byte. */
  constructor(run: MeshRun, claims: readonly Claim[], minSuccessPercent: number, progress: Progress) {
    this.#run = run;
    this.#claims = claims;
    this.#minSuccessPercent = minSuccessPercent;
    this.#progress = progress;
    const markers = claims.flatMap(({ check }) => check.kind === "wire" ? check.markers : []);
    const isMeshed = (ip: string) =>
      [...run.units.values()].some((unit) => unit.sidecar !== null && unit.ips.includes(ip));
    let watch: WireWatch | null = null;
    let reason = "";
    try {
      watch = new WireWatch(BRIDGE, markers, isMeshed);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      reason = error.errno === Errno.EPERM ? "may not watch the wire here (CAP_NET_RAW is missing)" : error.message;
    }
    this.#watch = watch;
    this.#noWatch = reason;
  }

  /** The window for shares and rates begins: balancers have learned, breakers have opened. */
  async begin(): Promise<void> {
    this.#before = await this.#run.scrape(SCRAPE_TRIES);
  }

  /** Judges and prints every claim. @param stop resolves when it shall be broken off @returns all of them, null when broken off */
  async conclude(stop: Promise<void>): Promise<ClaimResult[] | null> {
    const after = await this.#run.scrape(SCRAPE_TRIES);
    this.#progress.line("\nWhat was claimed, and what was seen:");
    const results: ClaimResult[] = [];
    for (const claim of this.#claims) {
      const needs = claim.needs;
      if (needs !== null && !this.#run.units.has(needs)) {
        this.#progress.note(`${claim.text}: left out, ${needs} does not run`);
        results.push({ claim: claim.text, holds: null, evidence: `${needs} does not run` });
        continue;
      }
      const verdict = await Promise.race([this.#judge(claim, after), stop]);
      if (verdict === undefined) {
        this.#progress.failed("stopped before all claims were judged");
        return null;
      }
      const { holds, evidence } = verdict;
      if (holds) this.#progress.done(claim.text);
      else this.#progress.failed(claim.text);
      this.#progress.line(`    ${evidence}`);
      results.push({ claim: claim.text, holds, evidence });
    }
    const held = results.filter((result) => result.holds === true).length;
    const skipped = results.filter((result) => result.holds === null).length;
    const asked = results.length - skipped;
    const left = skipped === 0 ? "" : `, ${skipped} left out`;
    if (held === asked) this.#progress.done(`all ${asked} claims hold${left}`);
    else this.#progress.failed(`${asked - held} of ${asked} claims do not hold${left}`);
    return results;
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
  }

  async #judge({ check }: Claim, after: readonly Scrape[]): Promise<Verdict> {
    switch (check.kind) {
      case "wire":
        if (this.#watch === null) return { holds: false, evidence: this.#noWatch };
        return judgeWire(this.#watch.report(), check.markers);
      case "refused": {
        const before = check.countedBy === null ? [] : await this.#run.scrape(SCRAPE_TRIES);
        const verdict = judgeRefused(check.request, await this.#ask(check.from, check.request));
        if (check.countedBy === null) return verdict;
        return judgeCounted(verdict, before, await this.#run.scrape(SCRAPE_TRIES), check.countedBy);
      }
      case "answered":
        return judgeAnswered(await this.#ask(check.from, check.request), check.contains);
      case "share":
        return judgeShare(this.#before, after, check);
      case "tcp":
        return judgeTcp(after, check.to);
      case "success":
        return judgeSuccess(this.#before, after, check.of, check.atLeastPercent ?? this.#minSuccessPercent);
    }
  }

  /** Lets a process in the place of a workload make a request. */
  async #ask(from: string, request: Request): Promise<Answer> {
    const place = this.#run.units.get(from)?.place;
    if (place === null || place === undefined) return failed(`${from} does not run`);
    const child = insideOf(place, () =>
      Bun.spawn([...selfCommand(), "up"], {
        env: { PATH: process.env["PATH"] ?? "", [PROBE_VARIABLE]: JSON.stringify(request) },
        stdio: ["ignore", "pipe", "pipe"],
      }));
    const timer = setTimeout(() => child.kill("SIGKILL"), PROBE_TIMEOUT_MS);
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    clearTimeout(timer);
    try {
      return JSON.parse(output) as Answer; // written by our own probe
    } catch {
      return failed(errors.trim().split("\n").at(-1) ?? "the probe said nothing");
    }
  }
}

function failed(error: string): Answer {
  return { status: null, text: "", error, headers: {} };
}
