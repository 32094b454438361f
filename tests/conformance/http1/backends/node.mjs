// node:http as a back end: names each whole request in X-Seen. Usage: node node.mjs PORT
import { createServer } from "node:http";

const server = createServer((request, response) => {
  let bytes = 0;
  request.on("data", (chunk) => bytes += chunk.length);
  request.on("end", () => {
    response.setHeader("X-Seen", `${request.method} ${request.url} ${bytes}`);
    response.setHeader("Content-Length", "0");
    response.end();
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
