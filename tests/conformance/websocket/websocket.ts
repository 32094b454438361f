/**
 * WebSocket by the cases of the Autobahn test suite: framing, control frames, fragmentation, UTF-8, closing, limits up
 * to 16 MB, permessage-deflate. Cases are played against echo servers and echo clients of others, over HTTP/1.1
 * (Upgrade) and over HTTP/2 (extended CONNECT, RFC 8441).
 *
 * The mesh carries bytes, and peers are lax in their own ways: a case holds when its outcome is that of the direct
 * connection. Where a client speaks HTTP/2 and a server only HTTP/1.1, the mesh translates between them, which nothing
 * does directly; the outcome has to be that of HTTP/1.1.
 */
import { type Child, run, startProcess } from "../../support/process.ts";
import { eventually } from "../../support/eventually.ts";
import { skippedSuite, type SuiteOptions, type SuiteResult, Tally } from "../suite.ts";
import { type Bed, openCapturedBed, openLoopbackBed, type Way } from "../ways.ts";
import { type ClientPeer, type Peers, preparePeers, type ServerPeer } from "./peers.ts";

/** Case → outcome. */
type Outcomes = Map<string, string>;

/** Longest time for one set of cases, milliseconds. */
const SET_MS = 900_000;
/** Cases that move megabytes or a thousand messages: limits, and compression of many kinds. */
const IS_BULK = /^(9|12|13)\./;
/** Messages of each compression case; the suite's 1,000 show nothing more about who only carries them. */
const MESSAGES = "20";
/** What a peer that is right, or nearly, has; and the share of cases of which that must hold for a peer to tell anything. */
const IS_GOOD = /^(OK|NON-STRICT|INFORMATIONAL)/;
const LEAST_GOOD = 0.9;
const IS_PERFECT = /^(OK, closed: OK|NON-STRICT, closed: OK|INFORMATIONAL, closed: INFORMATIONAL)/;
/** Of the short run: one or a few of each group. */
const IS_QUICK =
  /^(1\.1\.[1-8]|2\.\d+|3\.[1-7]|4\.[12]\.1|5\.(1|6|1[5-9])|6\.4\.[1-4]|7\.\d+\.[1-3]|9\.[12]\.4|12\.1\.[1-3])$/;

export async function runWebsocket(say: (line: string) => void, { quick }: SuiteOptions): Promise<SuiteResult> {
  const peers = await preparePeers();
  if ("reason" in peers) {
    say(`skip websocket: ${peers.reason}`);
    return skippedSuite("websocket", peers.reason);
  }
  const listed = await run({ argv: [...peers.player, "list"], name: "the list of cases" });
  if (listed.code !== 0) throw new Error(`the cases cannot be loaded: ${listed.stderr}`);
  const all = JSON.parse(listed.stdout) as string[];
  const suite = new Websocket(peers, quick ? all.filter((name) => IS_QUICK.test(name)) : all, quick, say);
  const count = peers.servers.length + 1; // the last one is the player's own
  {
    await using loopback = await openLoopbackBed(
      count,
      quick ? null : [...peers.servers.map((one) => one.appProtocol), "http"],
    );
    await suite.runBed(loopback);
  }
  if (!quick) {
    await using captured = await openCapturedBed(count, say);
    if (captured !== null) await suite.runBed(captured);
  }
  return suite.tally.result("websocket", peers.version);
}

class Websocket {
  readonly tally = new Tally();
  readonly #peers: Peers;
  readonly #cases: readonly string[];
  readonly #quick: boolean;
  readonly #say: (line: string) => void;
  /** Outcomes without the mesh, by peers. */
  readonly #direct = new Map<string, Outcomes>();

  constructor(peers: Peers, cases: readonly string[], quick: boolean, say: (line: string) => void) {
    this.#peers = peers;
    this.#cases = cases;
    this.#quick = quick;
    this.#say = say;
  }

  async runBed(bed: Bed): Promise<void> {
    const ways = this.#quick ? bed.ways.filter((way) => /^direct$|^sidecars/.test(way.name)) : bed.ways;
    for (const [at, server] of this.#peers.servers.entries()) {
      await this.#runServer(bed, ways, server, bed.ports[at] ?? 0);
    }
    await this.#runClients(bed, ways, bed.ports[this.#peers.servers.length] ?? 0);
  }

  /** Plays cases against a server. */
  async #runServer(bed: Bed, ways: readonly Way[], server: ServerPeer, port: number): Promise<void> {
    await using child = startProcess({ argv: [...bed.server, ...server.argv(port)], name: server.name });
    for (const way of ways) {
      for (const version of ["1", "2"] as const) {
        const isTranslated = server.version !== version;
        // The mesh translates from HTTP/2, not to it: an HTTP/1.1 client finds what it would find directly.
        if (isTranslated && (version === "1" || way.name === "direct")) continue;
        const reference = `HTTP/${isTranslated ? 1 : version} → ${server.name}`;
        const cases = this.#casesFor(way, server.name !== "websockets");
        const play = async (names: readonly string[]) => await this.#play(way, version, port, names);
        await listens(way, port, child);
        await this.#judge(way, `HTTP/${version} → ${server.name}`, reference, cases, play);
      }
    }
  }

  /** Plays cases on clients. */
  async #runClients(bed: Bed, ways: readonly Way[], port: number): Promise<void> {
    const argv = [...bed.server, ...this.#peers.player, "server", String(port)];
    await using player = startProcess({ argv, name: "the player", env: { MESSAGES } });
    await player.waitForOutput(/ready/);
    const clients = this.#quick ? this.#peers.clients.slice(0, 2) : this.#peers.clients;
    for (const way of ways) {
      for (const client of clients) {
        const isTranslated = client.version === "2";
        if (isTranslated && way.name === "direct") continue;
        const reference = `${client.name.split(" ")[0]} → HTTP/1`;
        const call = async (names: readonly string[]) => await callPlayer(player, client, way, port, names);
        const cases = this.#casesFor(way, false);
        await this.#judge(way, `${client.name} → HTTP/1`, reference, cases, call);
      }
    }
  }

  /** What moves much is carried on the usual way only. */
  #casesFor(way: Way, hasBulk: boolean): readonly string[] {
    const isUsual = way.name === "direct" || way.name === "sidecars-detected";
    return isUsual && hasBulk ? this.#cases : this.#cases.filter((name) => this.#quick || !IS_BULK.test(name));
  }

  async #play(way: Way, version: string, port: number, cases: readonly string[]): Promise<Outcomes> {
    const to = way.reach(port);
    const argv = [...way.client, ...this.#peers.player, "client", version, to.host, String(to.port), ...cases];
    const done = await run({ argv, name: "the player", env: { MESSAGES }, timeoutMs: SET_MS });
    if (done.code !== 0) throw new Error(`the player broke off: ${done.stderr.slice(-500)}`);
    return outcomesOf(done.stdout);
  }

  async #judge(
    way: Way,
    combination: string,
    reference: string,
    cases: readonly string[],
    play: (cases: readonly string[]) => Promise<Outcomes>,
  ): Promise<void> {
    const found = await play(cases);
    if (way.name === "direct") {
      const poor = cases.filter((name) => !IS_PERFECT.test(found.get(name) ?? ""));
      if (poor.length > 0) { for (const [name, outcome] of await play(poor)) found.set(name, outcome); // it may be late
       }
      const good = [...found.values()].filter((outcome) => IS_GOOD.test(outcome)).length;
      if (good < cases.length * LEAST_GOOD) {
        throw new Error(`${reference} fails without the mesh: ${JSON.stringify([...found].slice(0, 5))}`);
      }
      this.#direct.set(reference, found);
      return;
    }
    const wanted = this.#direct.get(reference);
    if (wanted === undefined) throw new Error(`${reference} was not tried without the mesh`);
    const differ = cases.filter((name) => !isSame(found.get(name), wanted.get(name)));
    // On a busy machine a peer may be late with an answer: only what is so again counts.
    if (differ.length > 0) { for (const [name, outcome] of await play(differ)) found.set(name, outcome); }
    for (const name of cases) {
      if (isSame(found.get(name), wanted.get(name))) this.tally.pass(`${combination} ${way.name}`);
      else {
        const detail = `directly: ${wanted.get(name)}; here: ${found.get(name)}`;
        this.tally.fail(`${combination} ${name} (${way.name})`, detail);
      }
    }
    this.#say(`websocket: ${combination}, ${way.name}: ${cases.length} cases`);
  }
}

/** Has a client connect for each case, and waits for what the player says about it. */
async function callPlayer(
  player: Child,
  client: ClientPeer,
  way: Way,
  port: number,
  cases: readonly string[],
): Promise<Outcomes> {
  const before = player.stdout().length;
  const to = way.reach(port);
  const argv = [...way.client, ...client.argv, to.host, String(to.port), ...cases];
  const done = await run({ argv, name: client.name, timeoutMs: SET_MS });
  if (done.code !== 0) throw new Error(`${client.name} broke off: ${done.stderr.slice(-500)}`);
  return await eventually(() => {
    const outcomes = outcomesOf(player.stdout().slice(before));
    if (outcomes.size < cases.length) throw new Error(`${outcomes.size} of ${cases.length} cases came to an end`);
    return outcomes;
  }, 30_000);
}

function outcomesOf(text: string): Outcomes {
  const lines = text.trim().split("\n").filter((line) => line.startsWith("{"));
  return new Map(lines.map((line): [string, string] => {
    const { case: name, outcome } = JSON.parse(line) as { case: string; outcome: string };
    return [name, outcome];
  }));
}

/** What the suite calls non-strict conforms as well, and it is a matter of time which of the two it is. */
function isSame(found: string | undefined, wanted: string | undefined): boolean {
  return found !== undefined && found.replace(/^NON-STRICT/, "OK") === wanted?.replace(/^NON-STRICT/, "OK");
}

/** Waits until a server that says nothing about it accepts connections, tried from where its clients are. */
async function listens(way: Way, port: number, child: Child): Promise<void> {
  const to = way.reach(port);
  const script = `const s = require("node:net").connect(${to.port}, "${to.host}", () => process.exit(0));
    s.on("error", () => process.exit(1))`;
  await eventually(async () => {
    const gone = child.gone();
    if (gone !== null) throw new Error(gone);
    const done = await run({ argv: [...way.client, process.execPath, "-e", script], name: "probe" });
    if (done.code !== 0) throw new Error(`${child.name} does not listen: ${child.output()}`);
  }, 30_000);
}
