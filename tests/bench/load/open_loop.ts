/**
 * Open-loop HTTP client: `open_loop.ts h1|h2 HOST PORT PATH RATE_PER_S CLIENTS WARM_MS RUN_MS`. Requests start at evenly
 * spaced times whatever the answers do, and each latency counts from the time the request was due, so that a stall is
 * seen by all requests it delays. Prints what _meter.ts says.
 *
 * Timers of an event loop are too coarse for 500 µs steps, so this waits in ppoll(2) itself, by FFI.
 */
import { latencyOf } from "./result.ts";
import { connectTcp, PollSet, receive, send, useExactTimers } from "./_syscalls.ts";
import { H1Peer, H2Peer, type OpenLoopPeer } from "./_open_loop_peers.ts";

const [protocol, host = "", port = "", path = "/", rate = "1000", clients = "1", warmMs = "0", runMs = "0"] = process
  .argv
  .slice(2);
/** A request without an answer after this time at the end counts as failed. */
const LAST_ANSWER_NS = 1_000_000_000;

const peers: OpenLoopPeer[] = [];
const fds: number[] = [];
useExactTimers();
for (let index = 0; index < Number(clients); index++) {
  const fd = connectTcp(host, Number(port));
  fds.push(fd);
  const peer = protocol === "h2" ? new H2Peer(path) : new H1Peer(path);
  if (peer.preface.length > 0) send(fd, peer.preface);
  peers.push(peer);
}

const poll = new PollSet(fds);
const stepNs = 1e9 / Number(rate);
const startNs = Bun.nanoseconds();
const beginNs = startNs + Number(warmMs) * 1e6;
const endNs = beginNs + Number(runMs) * 1e6;
const latencies: number[] = [];
/** Due times of requests that found no connection free. */
const backlog: number[] = [];
let dueNs = startNs;
let failed = 0;
let started = 0;
let finished = 0;
let next = 0;
let stage = 0;

function begin(due: number): boolean {
  for (let tries = 0; tries < peers.length; tries++) {
    const at = (next + tries) % peers.length;
    const peer = peers[at] as OpenLoopPeer; // in range
    if (!peer.isFree()) continue;
    next = at + 1;
    send(fds[at] as number, peer.request(due)); // in range
    if (due >= beginNs) started++;
    return true;
  }
  return false;
}

function finish(due: number, ok: boolean, now: number): void {
  if (due < beginNs) return;
  finished++;
  if (!ok) failed++;
  latencies.push((now - due) / 1000);
}

for (;;) {
  let now = Bun.nanoseconds();
  if (stage === 0 && now >= beginNs) {
    stage = 1;
    console.log("begin");
  }
  while (dueNs <= now && dueNs < endNs) {
    if (backlog.length > 0 || !begin(dueNs)) backlog.push(dueNs);
    dueNs += stepNs;
  }
  if (now >= endNs && (started === finished && backlog.length === 0 || now > endNs + LAST_ANSWER_NS)) break;
  poll.wait(Math.max(0, (now >= endNs ? now + 1e6 : dueNs) - now));
  now = Bun.nanoseconds();
  for (let at = 0; at < fds.length; at++) {
    if (!poll.isReadable(at)) continue;
    const fd = fds[at] as number; // in range
    const peer = peers[at] as OpenLoopPeer; // in range
    const bytes = receive(fd);
    if (bytes === null) {
      console.error(`connection ${at} was closed`);
      process.exit(1);
    }
    const reply = peer.read(bytes, now, finish);
    if (reply !== null) send(fd, reply);
  }
  while (backlog.length > 0 && begin(backlog[0] as number)) backlog.shift(); // length checked
}
console.log("end");
const seconds = (endNs - beginNs) / 1e9;
failed += started - finished + backlog.length;
console.log(JSON.stringify({ count: finished, seconds, failed, ...latencyOf(Float64Array.from(latencies)) }));
process.exit(0);
