/**
 * Echo peers on the package ws, for Node.js:
 *
 *   ws_peer.mjs server 1|2 PORT           by HTTP/1.1 or HTTP/2
 *   ws_peer.mjs client 1|2 HOST PORT CASE…  connects for each case and echoes to the end
 */
import { createServer as createHttp1 } from "node:http";
import { type ClientHttp2Session, connect, createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import { ClientTunnel, ServerTunnel, upgradeOf } from "./ws_tunnel.ts";

/** What is used of the package, which is not among the project's own. */
interface Socket {
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): void;
  on(event: "error" | "close", listener: () => void): void;
  send(data: Buffer, options: { binary: boolean }): void;
}
interface Package {
  readonly WebSocket: new (url: string, options: object) => Socket;
  readonly WebSocketServer: new (options: object) => {
    handleUpgrade(request: unknown, socket: Duplex, head: Buffer, done: (socket: Socket) => void): void;
  };
}
const { WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws") as Package;

const PARALLEL = 16;
const OPTIONS = { perMessageDeflate: true, maxPayload: 0 };
const [, , role, version, ...rest] = process.argv;

function echo(socket: Socket): void {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => {}); // the other side breaks every rule
}

function serve(port: number): void {
  const sockets = new WebSocketServer({ noServer: true, ...OPTIONS });
  const ready = () => console.log("ready");
  if (version === "1") {
    const server = createHttp1();
    server.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, echo));
    server.listen(port, "0.0.0.0", ready);
    return;
  }
  const server = createHttp2({ settings: { enableConnectProtocol: true } });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {}); // reset by the other side
    // A server's streams are of that type.
    sockets.handleUpgrade(upgradeOf(headers), new ServerTunnel(stream as ServerHttp2Stream), Buffer.alloc(0), echo);
  });
  server.listen(port, "0.0.0.0", ready);
}

async function call(host: string, port: string, cases: readonly string[]): Promise<void> {
  const session = version === "2" ? await openSession(`http://${host}:${port}`) : null;
  const waiting = [...cases];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      await new Promise<void>((resolve) => {
        const more = session === null ? {} : { createConnection: () => new ClientTunnel(session) };
        const socket = new WebSocket(`ws://${host}:${port}/${name}`, { ...OPTIONS, ...more });
        echo(socket);
        socket.on("close", resolve);
      });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  session?.close();
}

/** A connection whose server has announced extended CONNECT. */
function openSession(url: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(url);
    session.on("error", reject);
    session.on("remoteSettings", (settings: { enableConnectProtocol?: boolean }) => {
      if (settings.enableConnectProtocol) resolve(session);
      else reject(new Error("the server does not announce extended CONNECT"));
    });
  });
}

if (role === "server") serve(Number(rest[0]));
else await call(rest[0] ?? "", rest[1] ?? "", rest.slice(2));
