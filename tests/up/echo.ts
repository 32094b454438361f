/** A server for the tests: HTTP/1.1 on 8080, HTTP/2 on 8081, and a greeting on 9000. Prints what reaches it. */
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer as createTcp } from "node:net";

function answer(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
  console.log(`case ${request.headers["x-case"]}: ${request.method} ${request.url}`);
  response.setHeader("content-type", "application/json");
  const host = request.headers[":authority"] ?? request.headers.host;
  response.end(JSON.stringify({ method: request.method, path: request.url, host }));
}

createHttp1(answer).listen(8080, "0.0.0.0");
createHttp2(answer).listen(8081, "0.0.0.0");
createTcp((socket) => {
  console.log("greeted");
  socket.on("error", () => {});
  socket.end("served\n");
}).listen(9000, "0.0.0.0");
console.log("serving");
