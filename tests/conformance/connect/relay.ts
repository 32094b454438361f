/**
 * Runs a client or a server of the suite and changes the address that the suite tells the client, or that the server
 * tells the suite: `relay.ts client|server HOST PORT COMMAND…`.
 *
 * Messages are a length (4 bytes, big endian) and protobuf: requests to clients have the host in field 6 and the port
 * in 7, the answer of a server in 1 and 2.
 */
import { type Numbers, rewrite } from "./rewrite.ts";

const FIELDS: Readonly<Record<string, Numbers>> = { client: { host: 6, port: 7 }, server: { host: 1, port: 2 } };

const [, , role = "", host = "", port = "", ...command] = process.argv;
const numbers = FIELDS[role];
if (numbers === undefined) throw new Error(`relay.ts: no role "${role}"`);

const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
process.on("SIGTERM", () => child.kill("SIGTERM"));

async function pass(from: AsyncIterable<Uint8Array>, to: (bytes: Uint8Array) => unknown, isChanged: boolean) {
  let held = Buffer.alloc(0);
  for await (const chunk of from) {
    if (!isChanged) {
      await to(chunk);
      continue;
    }
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE()) {
      const end = 4 + held.readUInt32BE();
      const message = rewrite(held.subarray(4, end), numbers as Numbers, host, Number(port)); // checked above
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      await to(Buffer.concat([length, message]));
      held = held.subarray(end);
    }
  }
}

const input = pass(Bun.stdin.stream(), async (bytes) => {
  child.stdin.write(bytes);
  await child.stdin.flush();
}, role === "client").then(() => child.stdin.end());
const output = pass(child.stdout, (bytes) => Bun.write(Bun.stdout, bytes), role === "server");
await Promise.all([output, child.exited, role === "client" ? input : null]);
process.exit(await child.exited);
