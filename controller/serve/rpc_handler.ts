/** Requests of a node server to the handlers of a Connect router; those with a waiting room go through it first. */
import type { Http2ServerResponse } from "node:http2";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
} from "@connectrpc/connect";
import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { DescMethod } from "@bufbuild/protobuf";
import { errorText } from "../../src/base/error.ts";
import { CALLER, CUT, REFUSED } from "./peer.ts";
import { answerUnary } from "./_unary_call.ts";
import { answerStream, type CallContext, isPlainStream, type StreamMethod } from "./stream_call.ts";
import type { Request, Response, WaitingRoom } from "./waiting_room.ts";

const BAD_REQUEST = 400;
const NOT_FOUND = 404;

export interface RpcOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** By path of the method. */
  readonly rooms: ReadonlyMap<string, WaitingRoom>;
  /** Streams that are served without the library where they can be, by path of the method. */
  readonly streams: ReadonlyMap<string, StreamMethod>;
  /** Asked before a call is read. @throws ConnectError with which it is refused */
  readonly admit: (context: CallContext) => void;
  /** What handlers learn of a request; CALLER and CUT are among it. */
  readonly values: (request: Request) => ContextValues;
  /** Told of what no handler should let happen. */
  readonly onFault: (path: string, reason: string) => void;
}

/** Path of a method. */
export function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

/** What a node server calls for each request. A path that no route has gets 404, a request that makes no call 400. */
export function rpcHandler(options: RpcOptions): (request: Request, response: Response) => void {
  const { admit } = options;
  const acceptCompression = [compressionGzip, compressionBrotli];
  const router = createConnectRouter({ acceptCompression, requestGate: admit, ...options });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    const handler = handlers.get(path);
    if (handler === undefined) return end(response, NOT_FOUND);
    const values = options.values(request);
    const onFault = (reason: string) => options.onFault(path, reason);
    const stream = options.streams.get(path);
    if (stream !== undefined && isPlainStream(request)) {
      // A response is of the same kind as its request.
      return void answerStream(stream, { request, response: response as Http2ServerResponse, values, admit, onFault });
    }
    const room = options.rooms.get(path);
    const fail = (error: unknown) => onFailure(error, response, onFault);
    const visit = { request, response, caller: values.get(CALLER), cut: values.get(CUT) };
    const isReceived = room?.visit(
      visit,
      (body, signal) => answerUnary(handler, { request, response, values, body, signal }).catch(fail),
    ) === true;
    if (isReceived) return;
    if (room !== undefined) values.set(REFUSED, true);
    answer(handler, request, response, values).catch(fail);
  };
}

/** Its promise may stay open when all is done. */
async function answer(handler: UniversalHandler, request: Request, response: Response, values: ContextValues) {
  const universal = universalRequestFromNodeRequest(request, response, undefined, values);
  await universalResponseToNodeResponse(await handler(universal), response);
}

function onFailure(error: unknown, response: Response, onFault: (reason: string) => void): void {
  if (ConnectError.from(error).code === Code.Aborted) return;
  onFault(errorText(error));
  if (response.headersSent) return;
  try {
    end(response, BAD_REQUEST);
  } catch {
    // The connection has gone.
  }
}

function end(response: Response, status: number): void {
  response.statusCode = status;
  response.end();
}
