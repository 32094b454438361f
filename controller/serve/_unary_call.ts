/**
 * A call with one request and one answer, both in memory, between a node server and a handler of Connect. Connect's own way
 * leaves the whole call in listeners of the request and the response; those that waited are old to the collector, which then
 * takes all their calls for alive until its next full round (measured: 30 KB for each certificate of a flood).
 */
import type { Http2ServerResponse } from "node:http2";
import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Request, Response } from "./waiting_room.ts";

/** @param signal aborted when the caller has gone @throws what the handler throws; TypeError for an authority that is none */
export async function answerUnary(
  handler: UniversalHandler,
  { request, response, values, body, signal }: {
    readonly request: Request;
    readonly response: Response;
    readonly values: ContextValues;
    readonly body: Uint8Array;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { status, header, trailer, body: pieces } = await handler({
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: new URL(request.url ?? "", `https://${authorityOf(request)}`).toString(),
    header: headersOf(request),
    body: only(body),
    signal,
    contextValues: values,
  });
  const answer: Uint8Array[] = [];
  if (pieces !== undefined) { for await (const piece of pieces) answer.push(piece); }
  if (signal.aborted) return;
  response.statusCode = status;
  header?.forEach((value, name) => void response.setHeader(name, value));
  if (trailer === undefined) return void response.end(Buffer.concat(answer));
  (response as Http2ServerResponse).write(Buffer.concat(answer)); // gRPC, which is HTTP/2; written before: what ends a stream goes without trailers
  response.addTrailers(Object.fromEntries(trailer));
  response.end();
}

function authorityOf(request: Request): string {
  return "authority" in request ? request.authority : request.headers.host ?? "";
}

function headersOf(request: Request): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(":") || value === undefined) continue; // HTTP/2 has the rest of the request there
    for (const each of typeof value === "string" ? [value] : value) headers.append(name, each);
  }
  return headers;
}

async function* only(body: Uint8Array): AsyncGenerator<Uint8Array> {
  if (body.length > 0) yield body;
}
