/** Peers that are there and do nothing: a sidecar or an application that is stopped (SIGSTOP). */
import type { Fault, Outcome, Size } from "./fault.ts";
import type { Load, Sent } from "./_load.ts";
import { Shop, type ShopOptions } from "./_shop.ts";

/** The replica that is stopped. */
const STUCK = "web-0";
const BUSY = { DELAY_MS: "5" };
/** Longest time until a stuck sidecar is noticed (see http2_keep_alive.ts), with what a busy machine adds. */
const NOTICED_MS = 10_000 + 5_000;

/** Waits until nothing of what is under way now is under way any more; says how long that took, milliseconds. */
async function answered(load: Load, ids: ReadonlySet<string>): Promise<number> {
  const begin = performance.now();
  while (load.inFlight().some(({ id }) => ids.has(id))) await Bun.sleep(20);
  return Math.round(performance.now() - begin);
}

async function stuckSidecar(size: Size): Promise<Outcome> {
  await using shop = await Shop.start({ replicas: 2, app: BUSY });
  const load = await shop.load(size);
  await shop.serves(load, STUCK);
  const sent = load.sent;
  const before = new Set(load.inFlight().map(({ id }) => id));
  shop.mesh.sidecar(STUCK).child().signal("SIGSTOP");
  await load.more(20);
  const noticedMs = await answered(load, new Set(load.inFlight().map(({ id }) => id)));
  await load.more(size.isFull ? 10_000 : 300);
  shop.mesh.sidecar(STUCK).child().signal("SIGCONT");
  await shop.serves(load, STUCK);
  const mayFail = ({ id, method }: Sent) => method === "POST" && (before.has(id) || Number(id.split("-")[1]) >= sent);
  const outcome = await shop.outcome(load, `noticed after ${noticedMs} ms`, mayFail);
  if (noticedMs <= NOTICED_MS) return outcome;
  return { ...outcome, problems: [...outcome.problems, `a stuck sidecar was noticed after ${noticedMs} ms only`] };
}

/** Its sidecar answers PINGs; requests to it hang. */
async function stuckApplication(size: Size, service: ShopOptions["service"], isTimed: boolean): Promise<Outcome> {
  await using shop = await Shop.start({ replicas: 2, app: BUSY, ...(service === undefined ? {} : { service }) });
  const load = await shop.load({ ...size, most: 200 });
  await shop.serves(load, STUCK);
  shop.app(STUCK).signal("SIGSTOP");
  // Ten seconds: without a time for each try requests wait, and clients give up after twenty.
  await load.more(size.isFull ? 10_000 : 600);
  const hanging = load.inFlight().length;
  shop.app(STUCK).signal("SIGCONT");
  await shop.serves(load, STUCK);
  // Where there is a time for each try, a POST ends with it, and everything else has another try.
  const mayFail = ({ method, error }: Sent) => isTimed && method === "POST" && /timeout/.test(error);
  return await shop.outcome(load, `${hanging} under way when it went on`, mayFail);
}

export const stuck: readonly Fault[] = [
  { name: "a server's sidecar is stuck, and goes on", run: stuckSidecar },
  {
    name: "an application is stuck, and goes on: requests to it wait",
    run: (size) => stuckApplication(size, undefined, false),
  },
  {
    name: "an application is stuck, with a second for each try",
    run: (size) => {
      const annotations = { "retry.tulle.dev/timeout": "1s", "retry.tulle.dev/http": "504" };
      return stuckApplication(size, { annotations }, true);
    },
  },
];
