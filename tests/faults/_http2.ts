/** Requests and answers by another HTTP/2 implementation than the mesh's own. */
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from "node:http2";
import type { Endpoint } from "../support/mesh.ts";

type Headers = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** A client connection, ended with its scope. */
export class Http2Session implements Disposable {
  readonly #session: ClientHttp2Session;
  #isOver = false;

  constructor(target: Endpoint) {
    this.#session = connect(`http://${target.authority}`);
    this.#session.on("error", () => {});
  }

  /** Sends a request; resolves to the head of its answer. */
  ask(headers: Record<string, string> = {}, body: Buffer | null = null): Promise<Headers> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ":path": "/", ...headers }, { endStream: body === null });
      stream.on("response", resolve);
      stream.on("error", (error) => {
        if (!this.#isOver) reject(error);
      });
      stream.resume();
      if (body !== null) stream.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#session.destroy();
  }
}

/** An application whose answers the test decides; by default 200 to everything. */
export async function serveHttp2(
  host: string,
  port: number,
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void = (stream) => {
    stream.respond({ ":status": 200 });
    stream.end();
  },
): Promise<AsyncDisposable & { requests(): number }> {
  let requests = 0;
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    requests++;
    stream.on("error", () => {});
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
