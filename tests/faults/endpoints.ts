/** Endpoints drain, restart, are replaced or die, while requests run. */
import type { Fault, Outcome, Size } from "./fault.ts";
import type { Load, Sent } from "./_load.ts";
import { eventually } from "../support/eventually.ts";
import { Upgrades } from "../support/upgrades.ts";
import { Shop, type ShopOptions } from "./_shop.ts";

/** Time that an answer takes: requests are under way whenever something happens. */
const BUSY = { DELAY_MS: "10" };
/** How long requests wait for an endpoint in patient runs; clients wait for 20 s. */
const PATIENCE = "15s";
/** Longest wait for an upgrade to be over; idle connections are kept for 77 s. */
const UPGRADE_WAIT_MS = 100_000;
/** Requests between two events. */
const BETWEEN = 400;

type Event = (shop: Shop, load: Load, round: number) => Promise<void>;

/** Repeats an event under load until enough requests were sent; nothing may fail. */
async function under(size: Size, options: ShopOptions, event: Event): Promise<Outcome> {
  const mesh = size.isPatient ? { env: { TULLE_FAIL_FAST_AFTER: PATIENCE } } : {};
  await using shop = await Shop.start({ app: BUSY, mesh, ...options });
  const load = await shop.load(size);
  let round = 0;
  do {
    await load.more(BETWEEN);
    await event(shop, load, round++);
  } while (load.sent < size.requests);
  await load.more(BETWEEN);
  return await shop.outcome(load, `${round} rounds`, isUnknowable);
}

/** What a server's sidecar tells of an application's connection that ended. */
const UNKNOWABLE = /upstream_closed|upstream_reset: (ECONNRESET|server closed the connection)/;

/**
 * A POST whose HTTP/1.1 connection was closed by an application that leaves, as the request came: nobody can know whether it
 * was acted on, so it is not repeated. On a busy machine new connections wait in the application's queue, which the kernel
 * resets when it goes.
 */
function isUnknowable({ kind, method, error }: Sent): boolean {
  return kind === "h1" && method === "POST" && UNKNOWABLE.test(error);
}

/** Ends a sidecar in order and starts it again. */
async function restartSidecar(shop: Shop, name: string): Promise<void> {
  await shop.mesh.sidecar(name).child().stop(30_000);
  await shop.mesh.sidecar(name).start();
}

/** Ends an application in order and starts it again. */
async function restartApp(shop: Shop, name: string): Promise<void> {
  await shop.app(name).stop();
  await shop.startApp(name);
}

/** New processes take the places of both sidecars, which keep their process ids. */
async function upgradeBoth(shop: Shop, load: Load): Promise<void> {
  const upgrades = new Upgrades(); // what it would end at last is what serves
  for (const name of ["front", "web-0"]) {
    // Refused until the one before is over: until the last connection that it left behind has ended.
    await eventually(() => upgrades.of(shop.mesh.sidecar(name)), UPGRADE_WAIT_MS);
    await shop.serves(load, "web-0");
  }
}

async function rolling(shop: Shop, load: Load): Promise<void> {
  for (const name of ["web-0", "web-1", "web-2"]) {
    shop.mesh.withdraw([name]);
    await load.more(50);
    await shop.app(name).stop();
    await shop.mesh.sidecar(name).child().stop(30_000);
    await Promise.all([shop.startApp(name), shop.mesh.sidecar(name).start()]);
    shop.mesh.withdraw([]);
    await shop.serves(load, name);
  }
}

/** web-0 and web-1 take turns: one comes as the other goes. */
async function replace(shop: Shop, _load: Load, round: number): Promise<void> {
  const [old, fresh] = round % 2 === 0 ? ["web-0", "web-1"] : ["web-1", "web-0"];
  await Promise.all([shop.startApp(fresh), shop.mesh.sidecar(fresh).start()]);
  shop.mesh.withdraw([old]);
  await Promise.all([shop.app(old).stop(), shop.mesh.sidecar(old).child().stop(30_000)]);
}

async function scale(shop: Shop, load: Load): Promise<void> {
  const more = ["web-1", "web-2"];
  await Promise.all(more.map((name) => Promise.all([shop.startApp(name), shop.mesh.sidecar(name).start()])));
  shop.mesh.withdraw([]);
  for (const name of more) await shop.serves(load, name);
  shop.mesh.withdraw(more);
  await Promise.all(
    more.map((name) => Promise.all([shop.app(name).stop(), shop.mesh.sidecar(name).child().stop(30_000)])),
  );
}

/** Kills something of web-0 once, under requests. What was under way and must not be repeated may fail. */
async function killed(size: Size, kill: (shop: Shop) => Promise<unknown>, mend: Event): Promise<Outcome> {
  await using shop = await Shop.start({ app: BUSY, replicas: 3 });
  const load = await shop.load(size);
  const lost = new Set<string>();
  let rounds = 0;
  do {
    await load.more(BETWEEN);
    const before = load.inFlight();
    const sent = load.sent;
    await kill(shop);
    // What the client's sidecar reads from here on, it reads after the end of the process's connections: until it answers
    // it may send on those what comes.
    await shop.retried();
    // Under way at some moment between the signal and that.
    for (const { id } of [...before, ...load.inFlight()]) lost.add(id);
    for (const request of load.failed) if (Number(request.id.split("-")[1]) >= sent) lost.add(request.id);
    await load.more(BETWEEN);
    await mend(shop, load, rounds++);
  } while (load.sent < size.requests);
  const mayFail = (request: Sent) => request.method === "POST" && lost.has(request.id);
  return await shop.outcome(load, `${rounds} kills`, mayFail);
}

async function killAndWait(child: { signal(signal: NodeJS.Signals): void; exited: Promise<number> }): Promise<void> {
  child.signal("SIGKILL");
  await child.exited;
}

/** An application that closes connections which were idle for a few milliseconds, just as requests come. */
async function keepAliveRace(size: Size): Promise<Outcome> {
  await using shop = await Shop.start({ app: { KEEP_ALIVE_MS: "5" }, replicas: 2 });
  const load = await shop.load(size, { clients: shop.clients(["h1"]), posts: 0.2 });
  await load.more(size.requests);
  return await shop.outcome(load, "", isUnknowable); // most are kept from meeting that
}

export const endpoints: readonly Fault[] = [
  {
    name: "a sidecar drains, and its endpoint is withdrawn afterwards",
    run: (size) =>
      under(size, { replicas: 2 }, async (shop, load) => {
        await shop.mesh.sidecar("web-0").child().stop(30_000);
        shop.mesh.withdraw(["web-0"]);
        await load.more(50);
        await shop.mesh.sidecar("web-0").start();
        shop.mesh.withdraw([]);
        await shop.serves(load, "web-0");
      }),
  },
  {
    name: "a sidecar drains after its endpoint was withdrawn",
    run: (size) =>
      under(size, { replicas: 2 }, async (shop, load) => {
        shop.mesh.withdraw(["web-0"]);
        await load.more(50);
        await restartSidecar(shop, "web-0");
        shop.mesh.withdraw([]);
        await shop.serves(load, "web-0");
      }),
  },
  {
    name: "an application restarts under its sidecar, another one serves",
    run: (size) => under(size, { replicas: 2 }, (shop) => restartApp(shop, "web-0")),
  },
  {
    name: "the only application restarts under its sidecar",
    run: (size) => under(size, { replicas: 1 }, (shop) => restartApp(shop, "web-0")),
  },
  {
    name: "the only sidecar of a service restarts",
    run: (size) => under(size, { replicas: 1 }, (shop) => restartSidecar(shop, "web-0")),
  },
  {
    name: "an endpoint is replaced: a new address comes as the old one goes",
    run: (size) => under(size, { replicas: 1, places: 2 }, replace),
  },
  { name: "a service is scaled from 1 to 3 and back", run: (size) => under(size, { replicas: 1, places: 3 }, scale) },
  { name: "three replicas restart one by one", run: (size) => under(size, { replicas: 3 }, rolling) },
  {
    name: "both sidecars are upgraded in place",
    run: (size) => {
      const env = { TULLE_KEEP_PID: "always", TULLE_UPGRADE_GRACE: "10m" };
      return under(size, { replicas: 1, env: { front: env, "web-0": env } }, upgradeBoth);
    },
  },
  { name: "applications close idle connections as requests come", run: keepAliveRace },
  {
    name: "an application is killed",
    run: (size) => killed(size, (shop) => killAndWait(shop.app("web-0")), async (shop) => await shop.startApp("web-0")),
  },
  {
    name: "a server's sidecar is killed",
    run: (size) =>
      killed(
        size,
        (shop) => killAndWait(shop.mesh.sidecar("web-0").child()),
        async (shop) => await shop.mesh.sidecar("web-0").start(),
      ),
  },
  {
    name: "an application and its sidecar are killed",
    run: (size) =>
      killed(
        size,
        (shop) => Promise.all([killAndWait(shop.app("web-0")), killAndWait(shop.mesh.sidecar("web-0").child())]),
        async (shop) => {
          await Promise.all([shop.startApp("web-0"), shop.mesh.sidecar("web-0").start()]);
        },
      ),
  },
];
