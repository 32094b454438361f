/** Clients of the application in the three ways it speaks; each answers with who served the request. */
import * as grpc from "@grpc/grpc-js";
import { type ClientHttp2Session, connect } from "node:http2";
import { header, Http1Client } from "../support/http1.ts";
import type { Endpoint } from "../support/mesh.ts";

export type Method = "GET" | "POST";

/** Longest time for a request, milliseconds: an answer after that counts as none. */
export const REQUEST_MS = 30_000;

/** Sends requests; several at a time. */
export interface Client {
  readonly kind: "h1" | "h2" | "grpc";
  /** The body of the answer; rejects with what was wrong. */
  send(method: Method, id: string): Promise<string>;
  close(): void;
}

/** HTTP/1.1: a connection for each request that is under way, kept and used again. */
export function http1Client(target: Endpoint): Client {
  const idle: Http1Client[] = [];
  return {
    kind: "h1",
    async send(method, id) {
      const connection = idle.pop() ?? await Http1Client.connect(target);
      try {
        const headers: Record<string, string> = method === "POST" ? { "content-length": "0" } : {};
        const response = await connection.get(`/${id}`, headers, method);
        const text = response.body.toString();
        if (response.status !== 200) throw new Error(`${response.status} ${text.trim()}`);
        if (header(response, "connection") === "close") connection.peer.terminate();
        else idle.push(connection);
        return text;
      } catch (cause) {
        connection.peer.terminate();
        throw cause;
      }
    },
    close: () => idle.splice(0).forEach((connection) => connection.peer.terminate()),
  };
}

/** HTTP/2: all requests on one connection, which is replaced when it ends. */
export function http2Client(target: Endpoint): Client {
  let session: ClientHttp2Session | null = null;
  const open = (): ClientHttp2Session => {
    if (session !== null) return session;
    const made = connect(`http://${target.authority}`);
    const forget = () => {
      if (session === made) session = null;
    };
    made.on("error", forget);
    made.on("close", forget);
    made.on("goaway", forget);
    return session = made;
  };
  return {
    kind: "h2",
    send: (method, id) =>
      new Promise((resolve, reject) => {
        const stream = open().request({ ":path": `/${id}`, ":method": method }, { endStream: true });
        let status = 0;
        let text = "";
        stream.on("response", (headers) => status = Number(headers[":status"]));
        stream.on("data", (chunk: Buffer) => text += chunk.toString());
        stream.on("error", reject);
        stream.on("end", () => {
          if (status === 200) resolve(text);
          else reject(new Error(`${status} ${text.trim()}`));
        });
        stream.on("close", () => reject(new Error(`the stream ended with ${stream.rstCode}`)));
      }),
    close: () => session?.destroy(),
  };
}

/** gRPC by @grpc/grpc-js: unary calls. */
export function grpcClient(target: Endpoint): Client {
  const bytes = (value: Buffer) => value;
  const client = new grpc.Client(target.authority, grpc.credentials.createInsecure());
  return {
    kind: "grpc",
    send: (_method, id) =>
      new Promise((resolve, reject) => {
        const deadline = Date.now() + REQUEST_MS;
        client.makeUnaryRequest("/fault.App/Ask", bytes, bytes, Buffer.from(id), { deadline }, (error, value) => {
          if (error === null) resolve(value?.toString() ?? "");
          else reject(new Error(error.message));
        });
      }),
    close: () => client.close(),
  };
}
