/**
 * The web front: plain HTTP/1.1 in, gRPC to the catalogue and Redis behind it, all by their usual names and without TLS. It
 * does not know that there is a mesh.
 *
 *   GET /        products and the number of visits
 *   GET /redis   says PING, SET and GET to Redis and shows the answers
 */
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { RedisClient } from "bun";

const PORT = 8080;
/** Longest time for one call behind; above what the slow replica takes. */
const CALL_TIMEOUT_MS = 2_000;
/** Pause between attempts to reach Redis; above the time that one may take. */
const REDIS_RETRY_MS = 2_500;

interface Products {
  products: { name: string; priceCents: number }[];
  servedBy: string;
}
type ListProducts = (
  request: { limit: number },
  options: { deadline: number },
  callback: (error: grpc.ServiceError | null, response: Products) => void,
) => void;

const version = process.env["SHOP_VERSION"] ?? "stable";
const definition = grpc.loadPackageDefinition(loadSync(`${import.meta.dirname}/catalogue.proto`));
const shop = (definition["shop"] as grpc.GrpcObject)["v1"] as grpc.GrpcObject; // the package of the file above
const Catalogue = shop["Catalogue"] as grpc.ServiceClientConstructor; // its only service
const catalogue = new Catalogue("catalogue:50051", grpc.credentials.createInsecure()) as unknown as {
  ListProducts: ListProducts;
};
/** Commands fail at once while there is no connection: the shop does not wait for its counter. */
let redis = newRedis();

function newRedis(): RedisClient {
  const options = { connectionTimeout: CALL_TIMEOUT_MS, enableOfflineQueue: false, autoReconnect: false };
  const client = new RedisClient("redis://redis:6379", options);
  client.connect().catch(() => {}); // tried again below
  return client;
}

setInterval(() => {
  if (redis.connected) return;
  redis.close();
  redis = newRedis();
}, REDIS_RETRY_MS);

function listProducts(): Promise<Products> {
  return new Promise((resolve, reject) => {
    catalogue.ListProducts({ limit: 0 }, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}

/** The shop goes on without its counter. */
async function countVisit(): Promise<number | null> {
  try {
    return await redis.incr("visits");
  } catch {
    return null;
  }
}

async function home(): Promise<Response> {
  const [listed, visits] = await Promise.allSettled([listProducts(), countVisit()]);
  if (listed.status === "rejected") {
    const { code, details } = listed.reason as grpc.ServiceError; // grpc-js rejects with nothing else
    return Response.json({ error: `catalogue: ${details} (gRPC status ${code})` }, { status: 503 });
  }
  const count = visits.status === "fulfilled" ? visits.value : null;
  return Response.json({ version, visits: count, ...listed.value });
}

async function redisDialogue(): Promise<Response> {
  const secret = "thimble-and-needle"; // searched for on the wire by the demo's proof, where it must not be found
  const ping = await redis.ping();
  const set = await redis.set("secret", secret);
  const got = await redis.get("secret");
  return Response.json({ ping, set, get: got === secret ? "as it was set" : got });
}

const server = Bun.serve({
  port: PORT,
  async fetch(request) {
    try {
      return new URL(request.url).pathname === "/redis" ? await redisDialogue() : await home();
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 503 });
    }
  },
});
console.log(`front ${version} listens on ${server.port}`);
process.on("SIGTERM", () => void server.stop().then(() => process.exit(0)));
