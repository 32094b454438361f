/**
 * Closed-loop client: `closed_loop.ts MODE HOST PORT TLS CLIENTS STREAMS WARM_MS RUN_MS`, TLS 0 or 1. Every connection
 * keeps STREAMS exchanges under way (1 with h1), and no two requests are alike: what h2load cannot do.
 *
 * h1, h2: GET, each with another path; counts requests. unary: a gRPC call with a trace context and a request ID of its
 * own; counts calls. server: calls that yield DOWN_MESSAGES each; bidi: calls for the whole run, one message under way in
 * each; both count messages.
 */
import { H1Loop } from "./_h1_loop.ts";
import { H2Loop } from "./_h2_loop.ts";
import { connectLoop, type LoopMode } from "./_loop.ts";
import { Meter } from "./_meter.ts";

const [mode = "h1", host = "", port = "", tls = "0", clients = "1", streams = "1", warmMs = "0", runMs = "0"] = process
  .argv.slice(2);
const meter = new Meter();
const isTls = tls === "1";
await Promise.all(
  Array.from(
    { length: Number(clients) },
    (_, index) =>
      connectLoop(
        { host, port: Number(port), alpn: isTls ? mode === "h1" ? "http/1.1" : "h2" : null },
        (socket) =>
          mode === "h1"
            ? new H1Loop(socket, meter, index)
            : new H2Loop(socket, meter, index, mode as LoopMode, Number(streams), isTls),
        meter,
      ),
  ),
);
await meter.run(Number(warmMs), Number(runMs));
process.exit(0);
