// node:http as a client. Lines "ID METHOD" in; out: ID, and for each of two requests on one connection "status seen bytes".
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

const port = Number(process.argv[2]);

function ask(agent, method, path) {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, method, path, agent, timeout: 15_000 }, (response) => {
      let bytes = 0;
      response.on("data", (chunk) => bytes += chunk.length);
      response.on("end", () => resolve(`${response.statusCode} ${response.headers["x-seen"] ?? "-"} ${bytes}`));
      response.on("error", () => resolve("error"));
    });
    call.on("error", () => resolve("error"));
    call.on("timeout", () => call.destroy());
    call.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve("error");
    });
    call.end();
  });
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [id, method] = line.split(" ");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const first = await ask(agent, method, `/replay/${id}`);
  const second = await ask(agent, "GET", "/probe");
  agent.destroy();
  process.stdout.write(`${id}\t${first}\t${second}\n`);
});
