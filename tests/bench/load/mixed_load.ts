/**
 * The load of a soak: `mixed_load.ts RATE_PER_S WARM_MS RUN_MS H1 H2 GRPC OPAQUE`, the last four as host:port. Everything at
 * once, at a fixed rate: HTTP/1.1 and HTTP/2 with bodies of three sizes, unary gRPC, opaque round trips, and new connections
 * of each kind. Connections are replaced after some exchanges, as those of real clients are.
 */
import { Meter } from "./_meter.ts";
import { EchoPeer, GrpcPeer } from "./_more_peers.ts";
import { H1Peer, H2Peer, type OpenLoopPeer } from "./_open_loop_peers.ts";
import { PacedClient } from "./_paced_client.ts";

const [rateText = "500", warmMs = "0", runMs = "0", ...addresses] = process.argv.slice(2);
const [h1, h2, grpc, opaque] = addresses.map((text) => {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
});
if (h1 === undefined || h2 === undefined || grpc === undefined || opaque === undefined) {
  throw new Error("want: RATE WARM_MS RUN_MS H1 H2 GRPC OPAQUE");
}

/** How often it looks what is due. */
const TURN_MS = 5;
/** Exchanges until a connection is replaced. */
const LIFE = 2_000;
/** A round of the mix takes a second: more than that is not caught up with after a stall. */
const MAX_OWED_SECONDS = 1;

type Address = typeof h1;
const meter = new Meter();

/** Exchanges of one kind: `share` of the rate, on `clients` connections. */
class Lane {
  readonly #perMs: number;
  readonly #clients: PacedClient[];
  #owed = 0;
  #next = 0;

  constructor(share: number, clients: number, life: number, address: Address, make: () => OpenLoopPeer) {
    this.#perMs = (share * Number(rateText)) / 1000;
    this.#clients = Array.from({ length: clients }, () => new PacedClient(address, make, life, meter));
  }

  turn(elapsedMs: number): void {
    this.#owed = Math.min(this.#owed + this.#perMs * elapsedMs, this.#perMs * 1000 * MAX_OWED_SECONDS + 1);
    for (let tries = 0; this.#owed >= 1 && tries < this.#clients.length; tries++) {
      const client = this.#clients[this.#next++ % this.#clients.length] as PacedClient; // in range
      if (!client.isFree) continue;
      client.start();
      this.#owed--;
      tries = -1;
    }
  }
}

const lanes = [
  new Lane(0.25, 16, LIFE, h1, () => new H1Peer("/s")),
  new Lane(0.06, 4, LIFE, h1, () => new H1Peer("/10k")),
  new Lane(0.02, 2, LIFE, h1, () => new H1Peer("/100k")),
  new Lane(0.04, 4, 1, h1, () => new H1Peer("/s")),
  new Lane(0.25, 4, LIFE, h2, () => new H2Peer("/s")),
  new Lane(0.06, 2, LIFE, h2, () => new H2Peer("/10k")),
  new Lane(0.02, 1, LIFE, h2, () => new H2Peer("/100k")),
  new Lane(0.02, 4, 1, h2, () => new H2Peer("/s")),
  new Lane(0.16, 4, LIFE, grpc, () => new GrpcPeer()),
  new Lane(0.1, 8, LIFE, opaque, () => new EchoPeer(100)),
  new Lane(0.02, 4, 1, opaque, () => new EchoPeer(20_000)),
];
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  for (const lane of lanes) lane.turn(now - last);
  last = now;
}, TURN_MS);

await meter.run(Number(warmMs), Number(runMs));
process.exit(0);
