/** Clocks that are set wrong, and right again; certificates that end. */
import { reply, serveHttp } from "../support/http1.ts";
import { startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp } from "../support/tcp.ts";
import { http1Client } from "./_clients.ts";
import { FakeClock, missingClock } from "./_clock.ts";
import type { Fault, Outcome, Size } from "./fault.ts";
import { Load, reasons } from "./_load.ts";
import { HTTP2, Shop, sumOf } from "./_shop.ts";
import { Http2Session } from "./_http2.ts";

const HOUR_S = 3600;
/** How long requests wait for an endpoint in patient runs. */
const PATIENCE = "15s";
const BUSY = { DELAY_MS: "2" };

/** One sidecar's clock is set, for some requests, and back; another endpoint is there. */
async function jump(size: Size, who: string, offsetSeconds: number, leafLifetime?: string): Promise<Outcome> {
  using clock = new FakeClock();
  await using shop = await Shop.start({
    replicas: 2,
    app: BUSY,
    env: { [who]: clock.env },
    mesh: leafLifetime === undefined ? {} : { leafLifetime },
  });
  const load = await shop.load({ ...size, rate: Math.min(300, size.rate) }, { clients: shop.clients(["h1", "grpc"]) });
  await load.more(100);
  clock.set(offsetSeconds);
  await load.more(size.isFull ? 10_000 : 300);
  // Nobody has used this service yet: its connections begin while the clock is wrong.
  using session = new Http2Session(shop.mesh.to("front", `h2:${HTTP2}`));
  const fresh: unknown[] = [];
  for (let i = 0; i < 20; i++) fresh.push((await session.ask())[":status"]);
  clock.set(0);
  await load.more(200);
  const outcome = await shop.outcome(load, `of 20 requests on new connections ${20 - count(fresh, 200)} failed`);
  const problems = [...outcome.problems];
  if (count(fresh, 200) < 20) problems.push(`new connections: ${fresh.join(" ")}`);
  const log = shop.mesh.sidecar(who).child().output();
  if (leafLifetime !== undefined && !/clock/.test(log)) problems.push("the log says nothing of the clock");
  return { ...outcome, problems };
}

/** Certificates are renewed in time although the clock is set back and forth. */
async function renewals(size: Size): Promise<Outcome> {
  const LEAF_S = 20;
  using clock = new FakeClock();
  await using shop = await Shop.start({
    replicas: 2,
    app: BUSY,
    env: { front: clock.env },
    mesh: { leafLifetime: `${LEAF_S}s` },
  });
  const metric = async (name: string) => sumOf(await shop.mesh.sidecar("front").metrics(), name);
  const load = await shop.load({ ...size, rate: 100 });
  const before = await metric("control_identity_cert_refreshes_total");
  const begin = performance.now();
  clock.set(-HOUR_S);
  await Bun.sleep(LEAF_S * 600);
  clock.set(0);
  await Bun.sleep(LEAF_S * (size.isFull ? 6000 : 600));
  const seconds = (performance.now() - begin) / 1000;
  const renewed = await metric("control_identity_cert_refreshes_total") - before;
  const left = await metric("control_identity_cert_expiration_timestamp_seconds") - Date.now() / 1000;
  const note = `${renewed} renewals in ${Math.round(seconds)} s of certificates of ${LEAF_S} s, ${
    Math.round(left)
  } s left`;
  const outcome = await shop.outcome(load, note);
  const problems = [...outcome.problems];
  // At 65 to 75 % of a life; what a busy machine adds is not more than half a life.
  if (renewed < Math.floor(seconds / (LEAF_S * 1.25))) problems.push(`only ${renewed} renewals in ${seconds} s`);
  if (left <= 0) problems.push("the certificate has expired");
  return { ...outcome, problems };
}

/** Connections end with their certificates: requests move over, an opaque stream is cut after the grace. */
async function ends(size: Size): Promise<Outcome> {
  const LEAF_S = 8;
  const GRACE_S = size.isPatient ? 8 : 3; // requests that take long on a busy machine have it too
  await using mesh = await startMesh({
    workloads: [workload("front", { calls: ["web:8080", "echo:9000"] }), workload("web")],
    services: [service("web", 8080, "http"), service("echo", 9000, "tulle.dev/opaque", { app: "web" })],
    leafLifetime: `${LEAF_S}s`,
    env: { TULLE_EXPIRED_GRACE: `${GRACE_S}s`, ...(size.isPatient ? { TULLE_FAIL_FAST_AFTER: PATIENCE } : {}) },
  });
  using _app = serveHttp(
    mesh.ip("web"),
    8080,
    async ({ path }, peer) => await peer.write(reply(200, `web ${path.slice(1)}`)),
  );
  using _echo = listenTcp(mesh.ip("web"), 9000, async (peer) => {
    for (let bytes = await peer.read(); bytes !== null; bytes = await peer.read()) await peer.write(bytes);
  });
  const load = new Load({
    clients: [http1Client(mesh.to("front", "web:8080"))],
    rate: 100,
    most: size.most,
    posts: 0.5,
  });
  using opaque = await connectTcp(mesh.to("front", "echo:9000"));
  await opaque.write("hello");
  await opaque.readExactly(5);
  const begin = performance.now();
  const error = await opaque.closed;
  const livedMs = Math.round(performance.now() - begin);
  await load.more(size.isFull ? 2000 : 200);
  const { sent, failed, slowestMs } = await load.stop();
  const metrics = await mesh.sidecar("front").metrics() + await mesh.sidecar("web").metrics();
  const cut = sumOf(metrics, "tulle_forced_closes_total", 'reason="certificate_expired"');
  const problems: string[] = [];
  if (failed.length > 0) problems.push(`${failed.length} failed: ${reasons(failed)}`);
  if (livedMs < LEAF_S * 500) problems.push(`the opaque stream was cut after ${livedMs} ms already`);
  if (livedMs > (LEAF_S + GRACE_S) * 1000 + 5000) problems.push(`the opaque stream lived for ${livedMs} ms`);
  if (cut < 1) problems.push("nothing was counted");
  const note = `opaque stream cut after ${livedMs} ms (${error ?? "in order"}), certificates of ${LEAF_S} s and ` +
    `${GRACE_S} s of grace; slowest ${slowestMs} ms`;
  return { requests: sent, failed: failed.length, retried: 0, note, problems };
}

function count(list: readonly unknown[], wanted: unknown): number {
  return list.filter((one) => one === wanted).length;
}

const FAULTS: readonly Fault[] = [
  { name: "a client's clock is set an hour ahead, and back", run: (size) => jump(size, "front", HOUR_S) },
  { name: "a client's clock is set back by an hour, and forth", run: (size) => jump(size, "front", -HOUR_S) },
  {
    name: "a server's clock is set an hour ahead, and certificates live for 30 minutes",
    run: (size) => jump(size, "web-0", HOUR_S, "30m"),
  },
  { name: "certificates of seconds are renewed while the clock is set back and forth", run: renewals },
];

export const clocks: readonly Fault[] = [
  ...FAULTS.map((fault) => ({ ...fault, missing: missingClock })),
  { name: "connections end with their certificates", run: ends },
];
