/** Networks that lose, delay, reorder and cut off, between real sidecars in namespaces. */
import { createHash, randomBytes } from "node:crypto";
import { fetchOnce, header, Http1Client } from "../support/http1.ts";
import type { Fault, Outcome, Size } from "./fault.ts";
import { fullDisk, noLocalPorts } from "./limits.ts";
import type { Load, Sent } from "./_load.ts";
import { missingNetwork, Net } from "./_net.ts";
import { HTTP1, Shop, SUBNET } from "./_shop.ts";

/** The replica that has the bad network. */
const BAD = "web-0";
const BUSY = { DELAY_MS: "5" };
/** Bytes of the bodies whose hash is checked. */
const BODY_BYTES = 300_000;
/** Requests a second at most: each frame of the bad replica costs the relay a copy. */
const MAX_RATE = 300;
/** Longest time until a dead peer is noticed (see http2_keep_alive.ts), with what a busy machine adds. */
const NOTICED_MS = 10_000 + 5_000;

/** A shop in namespaces with two replicas; web-0 is behind a relay unless said otherwise. */
async function shopIn(net: Net, app = BUSY, isBad = true): Promise<Shop> {
  for (const [at, name] of ["front", "web-0", "web-1"].entries()) {
    await net.add(name, `${SUBNET}.${at + 1}`, isBad && name === BAD);
  }
  return await Shop.start({ replicas: 2, app, net });
}

/** Limits of a host of its own. */
async function within(size: Size, delayMs: number, run: (size: Size, net: Net, shop: Shop) => Promise<Outcome>) {
  await using net = new Net(`${SUBNET}.254`);
  await using shop = await shopIn(net, { DELAY_MS: String(delayMs) }, false);
  return await run(calm(size), net, shop);
}

function calm(size: Size): Size {
  return { ...size, rate: Math.min(size.rate, MAX_RATE) };
}

/** Sends bodies there and back, one after the other, until it is stopped; says how many were not what was sent. */
function bodies(shop: Shop): { stop(): Promise<{ done: number; wrong: number }> } {
  const target = shop.mesh.to("front", `h1:${HTTP1}`);
  let done = 0;
  let wrong = 0;
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      const body = randomBytes(BODY_BYTES);
      const want = createHash("sha256").update(body).digest("hex");
      using client = await Http1Client.connect(target);
      await client.peer.write(`PUT /hash HTTP/1.1\r\nhost: web\r\ncontent-length: ${body.length}\r\n\r\n`);
      await client.peer.write(body);
      const answer = await client.readResponse();
      const got = createHash("sha256").update(answer.body).digest("hex");
      done++;
      if (answer.status !== 200 || header(answer, "x-sha256") !== want || got !== want) wrong++;
    }
  };
  const running = run().catch(() => void wrong++);
  return {
    async stop() {
      isOver = true;
      await running;
      return { done, wrong };
    },
  };
}

/** Bad weather for some time, under requests and bodies: nothing may fail, every body is what it was. */
async function weather(size: Size, begin: (net: Net) => void): Promise<Outcome> {
  await using net = new Net(`${SUBNET}.254`);
  await using shop = await shopIn(net);
  const load = await shop.load(calm(size));
  begin(net);
  const checked = bodies(shop);
  await load.more(size.isFull ? 20_000 : size.requests);
  const { done, wrong } = await checked.stop();
  const { passed, lost, reordered } = await net.pod(BAD).counts();
  const outcome = await shop.outcome(
    load,
    `${done} bodies of ${BODY_BYTES} bytes, ${wrong} wrong; frames: ${passed} passed, ${lost} lost, ${reordered} overtaken`,
  );
  const isWrong = wrong > 0 || done === 0;
  return isWrong ? { ...outcome, problems: [...outcome.problems, `${wrong} of ${done} bodies were wrong`] } : outcome;
}

/** What is under way, or sent from here on, may fail if it must not be repeated. */
function lostFrom(load: Load): (request: Sent) => boolean {
  const before = new Set(load.inFlight().map(({ id }) => id));
  const sent = load.sent;
  return ({ id, method }) => method === "POST" && (before.has(id) || Number(id.split("-")[1]) >= sent);
}

async function blackHole(size: Size): Promise<Outcome> {
  await using net = new Net(`${SUBNET}.254`);
  await using shop = await shopIn(net);
  const load = await shop.load(calm(size));
  await load.more(300);
  const mayFail = lostFrom(load);
  const begin = performance.now();
  net.pod(BAD).weather({ isCut: true });
  // Everything that was under way is answered, by another one or with an error.
  const before = new Set(load.inFlight().map(({ id }) => id));
  while (load.inFlight().some(({ id }) => before.has(id))) await Bun.sleep(20);
  const end = performance.now();
  const noticedMs = Math.round(end - begin);
  await load.more(size.isFull ? 5_000 : 300);
  // By when they were sent: what was on its way to the replica hears of its end at about the same time, before or after.
  const later = load.failed.filter(({ startedMs }) => startedMs > end).length;
  const inHole = load.failed.length - later;
  net.pod(BAD).weather({ isCut: false });
  await shop.serves(load, BAD);
  const note = `noticed after ${noticedMs} ms, ${inHole} POSTs failed until then, ${later} afterwards`;
  const outcome = await shop.outcome(load, note, mayFail);
  const problems = [...outcome.problems];
  if (noticedMs > NOTICED_MS) problems.push(`a dead peer was noticed after ${noticedMs} ms only`);
  if (later > inHole) problems.push("more failed after it was noticed than before");
  return { ...outcome, problems };
}

/** Nothing comes from the controller any more, and nothing is refused: what is known goes on. */
async function partition(size: Size): Promise<Outcome> {
  await using net = new Net(`${SUBNET}.254`);
  await using shop = await shopIn(net);
  const load = await shop.load(calm(size));
  net.pod(BAD).weather({ isCut: false });
  shop.mesh.controller.child().signal("SIGSTOP");
  await load.more(size.isFull ? 10_000 : size.requests);
  shop.mesh.controller.child().signal("SIGCONT");
  const { status } = await fetchOnce(shop.mesh.to("front", `h1:${HTTP1}`), "/after");
  const outcome = await shop.outcome(load);
  return status === 200 ? outcome : { ...outcome, problems: [...outcome.problems, "not served afterwards"] };
}

const FAULTS: readonly Fault[] = [
  { name: "5 % of the packets to a replica are lost", run: (size) => weather(size, (net) => net.pod(BAD).lose(0.05)) },
  {
    name: "10 % of the frames to and from a replica are lost",
    run: (size) => weather(size, (net) => net.pod(BAD).weather({ loss: 0.1 })),
  },
  {
    name: "frames are delayed by 20 to 60 ms and overtake each other",
    run: (size) => weather(size, (net) => net.pod(BAD).weather({ delayMs: 20, jitterMs: 40 })),
  },
  { name: "a replica is cut off in both directions", run: blackHole },
  { name: "the controller is stuck", run: partition },
  { name: "a server's host has no local port left", run: (size) => within(size, 50, noLocalPorts) },
  {
    name: "the disk of the saved state is full, and has room again",
    run: (size) => within(size, 5, (calmSize, _net, shop) => fullDisk(calmSize, shop)),
  },
];

export const networks: readonly Fault[] = FAULTS.map((fault) => ({ ...fault, missing: missingNetwork }));
