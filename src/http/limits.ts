/** Limits of the HTTP engines: each with its unit and reason. The answer to a breach stands beside it. */
import { MAX_FIELDS } from "../wire/http1/limits.ts";

/** Streams a peer may have open on a connection of an application; more are refused (REFUSED_STREAM). The usual value of gRPC servers is 100–1000. */
export const MAX_STREAMS = 1000;
/** Streams a sidecar may have open on one connection: it carries the requests and connections of a whole pod. */
export const MAX_MESH_STREAMS = 16_384;
/** Bytes a new stream may send before they are forwarded: most bodies. One that nobody reads holds no more. */
export const FIRST_STREAM_WINDOW_BYTES = 128 * 1024;
/** The same while much waits: a frame, so that thousands of streams that nobody reads fit. */
export const TIGHT_STREAM_WINDOW_BYTES = 16 * 1024;
/** Bytes of it that are forwarded before credit returns: so late that a body of 100 KiB costs no frame. */
export const FIRST_STREAM_CREDIT_BYTES = 112 * 1024;
/** The same for one whose bytes were forwarded, while the process has room: 256 KiB are 1 GB/s at 0.25 ms. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** Bytes a connection may send before credit returns. Credit is given at receipt, so that a slow stream never stalls its siblings. */
export const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
/**
 * Bytes that may wait for peers that do not take them, over all streams and connections: what bounds memory in the end. Each
 * peer may hold as many as are free, so that one alone gets half and none can use it up; waiting_budget.ts has the rule.
 */
export const WAITING_BYTES_BUDGET = 128 * 1024 * 1024;
/** Bytes that a peer must take to count as reading: a byte now and then holds memory as well as none. */
export const PROGRESS_BYTES = 16 * 1024;
/** Bytes waiting from which streams begin with a small window, and sockets are paused early; below half of it no more. */
export const TIGHT_BYTES = WAITING_BYTES_BUDGET / 8;
/** Longest time without that, whatever else is free: Envoy's limit for streams, and longer than consumers usually pause. */
export const WRITE_IDLE_MS = 300_000;
/** The same while much waits (TIGHT_BYTES). */
export const TIGHT_IDLE_MS = 10_000;
/** Largest frame we take from applications: the default of RFC 9113. */
export const MAX_FRAME_BYTES = 16_384;
/**
 * … and from sidecars, and send to them. One frame holds what a stream may have on its way, so that the receiver can hand it
 * on in one write (measured: 64 KiB cost opaque TCP a tenth more). A stream puts as much into an outbox at a time anyway.
 */
export const MAX_MESH_FRAME_BYTES = 262_144;
/** The same for frames other than DATA, which are put together before they are read: as long as a header section may be. */
export const MAX_COLLECTED_FRAME_BYTES = 65_536;
/** Largest decoded header section, RFC 9113 §6.5.2 counting (431): twice the 32 KiB of most servers. */
export const MAX_HEADER_LIST_BYTES = 64 * 1024;
/**
 * Largest header section as it comes, with its CONTINUATIONs (ENHANCE_YOUR_CALM). One between the two is read to its end, for
 * the table's sake, and costs its own stream alone: the connection carries the requests of others.
 */
export const MAX_HEADER_BLOCK_BYTES = 2 * MAX_HEADER_LIST_BYTES;
/** Fields in a section (431): those of an HTTP/1 request, with its pseudo-fields and what sidecars on its way add. */
export const MAX_HEADER_FIELDS = MAX_FIELDS + 24;
/** CONTINUATION frames of one block: 64 KiB need 4 at the usual size (ENHANCE_YOUR_CALM). */
export const MAX_CONTINUATIONS = 16;
/** HPACK table that peers may use, bytes: the default. */
export const HPACK_TABLE_BYTES = 4096;
/** Frames that make us work without carrying data (SETTINGS, PING, RST_STREAM, PRIORITY, empty DATA) a peer may send at once (ENHANCE_YOUR_CALM). */
export const CONTROL_FRAME_BURST = 2000;
/** … and how many a second it earns back. A client that cancels 500 calls a second for ever is stopped by none of the usual servers either. */
export const CONTROL_FRAMES_PER_SECOND = 500;
/** The same for a sidecar, which speaks for many clients. */
export const MESH_CONTROL_FRAME_FACTOR = 20;
/** Values in one SETTINGS frame: there are eight, and one of them changes the window of every stream (ENHANCE_YOUR_CALM; nghttp2's number). */
export const MAX_SETTINGS = 32;
/** WINDOW_UPDATE and PING frames that sent DATA may have earned: what a peer answers to a window of 16 MiB. */
export const MAX_EARNED_ANSWERS = 32_768;
/** Bytes in an outbox that no flow control bounds (acknowledgements): beyond it the peer reads nothing and is cut off. */
export const MAX_OUTBOX_BYTES = 2 * 1024 * 1024;
/** The same for a sidecar: heads of MAX_MESH_STREAMS responses may wait while its socket is full for a moment. */
export const MESH_OUTBOX_FACTOR = 8;
/** Body bytes received on an HTTP/1 connection and not yet forwarded before it is paused. */
export const HTTP1_PAUSE_BYTES = 256 * 1024;
/** The same while much waits. */
export const TIGHT_PAUSE_BYTES = 16 * 1024;
/** What the kernel may keep of a connection to an HTTP/1 server then: a read takes all that is there, up to half a megabyte. */
export const TIGHT_RECEIVE_BYTES = 32 * 1024;
/** Bytes of further requests (pipelining) kept while one is served; the connection is paused with them. */
export const MAX_PIPELINED_BYTES = 1024 * 1024;
/** From the first byte of a head (HTTP/2: from accept, or of a header block) to its end; slower ones are answered 408 or ENHANCE_YOUR_CALM. */
export const HEAD_TIMEOUT_MS = 30_000;
/** Between requests: longer than the keep-alive of common clients' pools, so that it is they who close. */
export const IDLE_TIMEOUT_MS = 600_000;
/**
 * The same for a connection that is to end after its next request: no multiple of a round interval, so that a client that
 * calls every 15, 30 or 60 s does not meet the very moment.
 */
export const RETIRED_IDLE_MS = 77_000;
/**
 * How long a client that has sent FIN after its request may go without a byte of the answer. Other proxies give the
 * request up at once; a client that only half-closed gets what comes in time.
 */
export const HALF_CLOSED_MS = 5_000;
/** After a response to a request that was not read to its end: how long we go on reading so that the response is not lost to a reset. */
export const LINGER_MS = 2_000;
/**
 * Longest request body by length of which the rest is read past when it was answered with success before its end, so
 * that the connection serves on; with a longer one, closing costs less. Go's server has 256 KiB.
 */
export const MAX_DISCARDED_BYTES = 256 * 1024;
