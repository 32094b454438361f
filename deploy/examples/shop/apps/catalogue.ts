/**
 * The catalogue: an ordinary gRPC server that knows nothing of a mesh. Of its three replicas one is slow and one is flaky, as
 * in life: replica 1 takes its time, replica 2 answers UNAVAILABLE most of the time.
 */
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PORT = 50051;
const SLOW_MS = 500; // clearly slower than the others also on a busy machine
const FLAKY_SHARE = 0.85;

const PRODUCTS = [
  { name: "tulle, white", priceCents: 1290 },
  { name: "tulle, black", priceCents: 1290 },
  { name: "thread", priceCents: 290 },
];

const replica = process.env["TULLE_REPLICA"] ?? "0";
const definition = grpc.loadPackageDefinition(loadSync(`${import.meta.dirname}/catalogue.proto`));
const shop = (definition["shop"] as grpc.GrpcObject)["v1"] as grpc.GrpcObject; // the package of the file above
const Catalogue = shop["Catalogue"] as grpc.ServiceClientConstructor; // its only service

const server = new grpc.Server();
server.addService(Catalogue.service, {
  ListProducts(call: { request: { limit: number } }, callback: grpc.sendUnaryData<unknown>) {
    if (replica === "2" && Math.random() < FLAKY_SHARE) {
      callback({ code: grpc.status.UNAVAILABLE, details: "the flaky replica is out of breath" });
      return;
    }
    const products = call.request.limit > 0 ? PRODUCTS.slice(0, call.request.limit) : PRODUCTS;
    const answer = () => callback(null, { products, servedBy: `catalogue-${replica}` });
    if (replica === "1") setTimeout(answer, SLOW_MS);
    else answer();
  },
});
server.bindAsync(`0.0.0.0:${PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log(`catalogue ${replica} listens on ${PORT}`);
});
process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
