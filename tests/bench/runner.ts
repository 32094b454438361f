/** Runs cases in interleaved rounds over the subjects of their group. */
import { type Case, CASES, hasBase, loadKey, protocolOf } from "./cases.ts";
import { type FixedLoad, measure, type Measurement } from "./measure.ts";
import { machineTimes, noiseBetween } from "./noise.ts";
import { type BenchOptions, prepareMsOf, proxiesOf, timesOf } from "./options.ts";
import type { Rig, Subject } from "./rig.ts";
import { type Row, rowOf } from "./rows.ts";
import { directSubject, startSubjects } from "./subjects.ts";

/** Measured time of a run that only finds out what a subject can do. */
const PROBE_MS = 500;
/** Rates are rounded down to a multiple of this, requests/s. */
const RATE_STEP = 50;

export class Runner implements AsyncDisposable {
  readonly rows: Row[] = [];
  interrupted = false;
  readonly #rig: Rig;
  readonly #options: BenchOptions;
  #subjects: Subject[] = [];
  #group = "";
  /** Subjects and protocols that were prepared. */
  readonly #warmed = new Set<string>();
  /** What client and backend do without a proxy, by load. */
  readonly #base = new Map<string, Row>();

  constructor(rig: Rig, options: BenchOptions) {
    this.#rig = rig;
    this.#options = options;
  }

  /** Subjects that a case would have to start. */
  startsFor(item: Case, cases: readonly Case[]): string[] {
    if (item.group === this.#group) return [];
    const names = cases.filter((each) => each.group === item.group).flatMap((each) => proxiesOf(this.#options, each));
    return [...new Set(names)];
  }

  /** Measures one case; its rows are returned, and kept. */
  async run(item: Case, cases: readonly Case[]): Promise<Row[]> {
    await this.#enter(item, cases);
    const names = proxiesOf(this.#options, item);
    const taking = this.#subjects.filter((subject) => names.includes(subject.proxy));
    const load = await this.#fixed(item, taking);
    if (load === null) return [];
    const key = loadKey({ ...item, load });
    const known = this.#base.get(key);
    if (names.includes("direct") && hasBase(load) && known === undefined) taking.unshift(directSubject(this.#rig));
    await this.#prepare(item, taking);
    const rounds = await this.#rounds(item, load, taking);
    const rows = taking.filter((subject) => rounds.has(subject))
      .map((subject) => rowOf(item, subject.proxy, rounds.get(subject) ?? []));
    const direct = rows.find((row) => row.proxy === "direct");
    if (direct !== undefined) this.#base.set(key, direct);
    const all = known === undefined ? rows : [{ ...known, case: item.name }, ...rows];
    this.rows.push(...all);
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#subjects.map((subject) => subject[Symbol.asyncDispose]()));
    this.#subjects = [];
  }

  /** A group has proxies of its own, so that what one did to their memory is not seen in the next. */
  async #enter(item: Case, cases: readonly Case[]): Promise<void> {
    const names = this.startsFor(item, cases);
    if (item.group === this.#group) return;
    await this[Symbol.asyncDispose]();
    this.#warmed.clear();
    this.#group = item.group;
    this.#subjects = await startSubjects(this.#rig, item.shape, names, this.#options.quick);
  }

  async #rounds(item: Case, load: FixedLoad, taking: readonly Subject[]): Promise<Map<Subject, Measurement[]>> {
    const times = timesOf(load, this.#options, item.group);
    const found = new Map<Subject, Measurement[]>();
    const before = machineTimes(process.pid);
    if (load.kind === "idle") await Bun.sleep(times.warmMs);
    const idle = noiseBetween(before, machineTimes(process.pid));
    for (let round = 0; round < times.rounds; round++) {
      // Each round begins with another, so that nobody always follows the same neighbour.
      for (let at = 0; at < taking.length && !this.interrupted; at++) {
        const subject = taking[(at + round) % taking.length] as Subject; // in range
        const once = await this.#once(item, load, subject, times);
        if (once === null) continue;
        const measured = load.kind === "idle" ? { ...once, ...idle } : once; // its time is the wait
        found.set(subject, [...found.get(subject) ?? [], measured]);
      }
    }
    return found;
  }

  /** One run; one that breaks off is tried again once, since a busy machine can starve a short one. */
  async #once(
    item: Case,
    load: FixedLoad,
    subject: Subject,
    times: { warmMs: number; runMs: number },
  ): Promise<Measurement | null> {
    for (let attempt = 0; !this.interrupted; attempt++) {
      try {
        return await measure(this.#rig, subject, load, times);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        this.#rig.say(`${item.name} ${subject.proxy}: ${reason}${attempt === 0 ? "; once more" : ""}`);
        if (attempt > 0) return null;
      }
    }
    return null;
  }

  /** One unmeasured run per subject and protocol before its first case. */
  async #prepare(item: Case, taking: readonly Subject[]): Promise<void> {
    const protocol = protocolOf(item.load);
    if (item.group === "memory" || protocol === "opaque" || item.load.kind === "idle") return;
    const load: FixedLoad = protocol === "grpc" ? { kind: "loop", mode: "unary", clients: 4, streams: 32 } : {
      kind: "http",
      protocol,
      path: "/s",
      clients: protocol === "h1" ? 256 : 4,
      streams: protocol === "h1" ? 1 : 32,
    };
    const times = { warmMs: prepareMsOf(protocol, this.#options.quick), runMs: 50 };
    for (const subject of taking) {
      const key = `${subject.proxy} ${protocol}`;
      if (this.#warmed.has(key) || this.interrupted || subject.proxy === "direct") continue;
      this.#warmed.add(key);
      if (item.shape === "hop" && subject.proxy !== "tulle") continue; // nothing to prepare
      await measure(this.#rig, subject, load, times).catch(() => {}); // what is wrong is said when it is measured
    }
  }

  /** A rate that depends on another case becomes a number; null when nobody could be asked. */
  async #fixed(item: Case, taking: readonly Subject[]): Promise<FixedLoad | null> {
    const { load } = item;
    if (load.kind !== "open") return load;
    if (typeof load.rate === "number") return { ...load, rate: load.rate };
    const { share, of } = load.rate;
    const rates: number[] = [];
    const asked = CASES.find((each) => each.name === of);
    for (const subject of taking) {
      const row = this.rows.find((each) => each.case === of && each.proxy === subject.proxy);
      if (row !== undefined) rates.push(row.rate);
      else if (asked !== undefined) {
        await this.#prepare(asked, [subject]);
        const once = await this.#once(asked, asked.load as FixedLoad, subject, { warmMs: PROBE_MS, runMs: PROBE_MS });
        if (once !== null) rates.push(once.rate);
      }
    }
    if (rates.length === 0) return null;
    const rate = Math.max(RATE_STEP, Math.floor(share * Math.min(...rates) / RATE_STEP) * RATE_STEP);
    this.#rig.say(`${item.name}: ${rate} requests/s`);
    return { ...load, rate };
  }
}
