/**
 * One HTTP/2 connection to the controller over TLS.
 *
 * Written on the mesh's own sockets and codecs: the general clients cost a proxy 3–11 MB of private memory at rest
 * (measured; see the folder's README). Only what the controller's few calls need, and no trust in what it sends.
 */
import { dial, type RawSocket, type SocketOwner, TLS_1_3, type TlsOptions } from "../../net/socket.ts";
import { ByteSink } from "../../base/byte_sink.ts";
import { HpackDecoder, RESPONSE, TRAILERS } from "../../wire/hpack/decoder.ts";
import { HpackEncoder } from "../../wire/hpack/encoder.ts";
import { headerBlock } from "../../wire/header_block.ts";
import { errorCodeName } from "../../wire/http2/error_code.ts";
import * as h2 from "../../wire/http2/frame_type.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from "../../wire/http2/flow_control.ts";
import { PREFACE } from "../../wire/http2/preface.ts";
import { Call, type CallCarrier, type CallSink } from "./call.ts";
import type { RpcError } from "./error.ts";
import { FrameReader, type FrameSink, MAX_FRAME_BYTES, number4, unpadded } from "./frames.ts";

/** A peer that does not answer a PING within this time is dead; half of it is the time to notice a lost controller. */
export const PING_INTERVAL_MS = 10_000;
/** TCP and TLS together; beyond that another replica or another try is the better bet. */
const CONNECT_TIMEOUT_MS = 10_000;
/** What the controller may send ahead, per stream and in all: a burst of snapshots. */
const RECEIVE_WINDOW_BYTES = 1024 * 1024;
/** A window is refilled when this much of it is used. */
const REFILL_BYTES = 256 * 1024;
/** Header blocks of the controller are some hundred bytes. */
const MAX_HEADER_BYTES = 16_384;
/** Unsent bytes at which a controller that does not read is given up. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** Wire form of the ALPN protocol "h2". */
const ALPN_H2 = new TextEncoder().encode("\x02h2");

/** How to reach the controller, and how to know it. */
export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** Roots, PEM. */
  readonly ca: string;
  /** Client certificate; null before the first. */
  readonly client: { readonly keyPem: string; readonly certPem: string } | null;
  /** DNS name the controller's certificate bears. */
  readonly serverName: string;
  /** Says "" or why the peer is not the controller. Asked once the handshake is done, before a byte is sent. */
  readonly verify: (socket: unknown, ok: boolean, error: Error | null) => string;
  /** See PING_INTERVAL_MS; tests shorten it. */
  readonly pingIntervalMs?: number;
}

/** See the file's head. Closes itself when its last call has ended. */
export class ControllerConnection implements SocketOwner, CallCarrier, FrameSink {
  readonly stats = null;
  /** False from the moment no new call may be made. */
  usable = true;
  readonly #options: ConnectionOptions;
  readonly #calls = new Map<number, Call>();
  readonly #out = new ByteSink(1024);
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder({ maxTableSize: 4096, maxListBytes: MAX_HEADER_BYTES, maxFields: 64 });
  #socket: RawSocket | null = null;
  #ready = false;
  readonly #frames = new FrameReader();
  #nextId = 1;
  #sendWindow: number = DEFAULT_WINDOW_BYTES;
  #initialSendWindow: number = DEFAULT_WINDOW_BYTES;
  #unacknowledged = 0;
  /** Stream and flags of the header block that is being received. */
  #headerStream = 0;
  #headerFlags = 0;
  readonly #header = new ByteSink(0);
  #pingOut = false;
  #timer: ReturnType<typeof setTimeout> | ReturnType<typeof setInterval>;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.close("unavailable", "no connection within 10 s"), CONNECT_TIMEOUT_MS);
    const tls = {
      ...(options.client === null ? {} : { key: options.client.keyPem, cert: options.client.certPem }),
      ca: options.ca,
      serverName: options.serverName,
      ALPNProtocols: ALPN_H2,
      rejectUnauthorized: true,
      minVersion: TLS_1_3,
    } as TlsOptions; // a client without certificate has no key
    dial(options.host, options.port, this, tls);
  }

  /** Begins a call. @param path "/package.Service/Method" */
  call(path: string, unary: boolean, sink: CallSink): Call {
    const call = new Call(this.#nextId, unary, this.#initialSendWindow, this, sink);
    this.#nextId += 2;
    this.#calls.set(call.id, call);
    const start = {
      method: "POST",
      scheme: "https",
      authority: this.#options.serverName,
      path,
      protocol: "",
      status: 0,
    };
    const type = unary ? "application/proto" : "application/connect+proto";
    const head = headerBlock(start, [
      "content-type",
      type,
      "connect-protocol-version",
      "1",
      "user-agent",
      "tulle-proxy",
    ]);
    const at = this.#out.length;
    h2.putFrameHeader(this.#out, 0, h2.HEADERS, h2.END_HEADERS, call.id);
    this.#encoder.encode(head, this.#out);
    h2.patchLength(this.#out, at, this.#out.length - at - h2.FRAME_HEADER_BYTES);
    this.#flush();
    return call;
  }

  /** Ends all calls with this error, and the connection. */
  close(code: string, message: string): void {
    if (!this.usable && this.#calls.size === 0 && this.#socket === null) return;
    this.usable = false;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#endAll({ code, message });
    socket?.terminate(); // calls onClose before it returns, which must not find calls to end for its own reason
  }

  /** Ends all calls in order, and the connection. */
  retire(): void {
    this.usable = false;
    this.#endAll(null);
    this.close("aborted", "the connection was replaced");
  }

  wantsToSend(call: Call): void {
    this.#sendData(call);
    this.#flush();
  }

  reset(call: Call): void {
    const { length } = this.#out;
    this.#out.reserve(13);
    h2.putFrameHeader(this.#out, 4, h2.RST_STREAM, 0, call.id);
    this.#put4(8); // CANCEL
    if (this.#out.length > length) this.#flush();
    this.#forget(call);
  }

  onOpen(socket: RawSocket): void {
    this.#socket = socket;
    if (!this.usable) socket.terminate();
  }

  onHandshake(socket: RawSocket, ok: boolean, error: Error | null): void {
    const problem = this.#options.verify(socket, ok, error);
    if (problem !== "") return this.close("unavailable", `the controller could not be verified: ${problem}`);
    this.#ready = true;
    clearTimeout(this.#timer);
    this.#timer = setInterval(() => this.#ping(), this.#options.pingIntervalMs ?? PING_INTERVAL_MS);
    const early = this.#out.buffer.slice(0, this.#out.length); // calls that were made before the handshake was done
    this.#out.length = 0;
    this.#out.append(PREFACE, 0, PREFACE.length);
    h2.putSettings(this.#out, [[h2.SETTINGS_ENABLE_PUSH, 0], [h2.SETTINGS_INITIAL_WINDOW_SIZE, RECEIVE_WINDOW_BYTES]]);
    this.#putWindowUpdate(0, RECEIVE_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#out.append(early, 0, early.length);
    this.#flush();
  }

  onData(buffer: Buffer): void {
    const problem = this.#frames.push(buffer, this);
    if (problem !== "") return this.#violation(problem);
    this.#flush();
  }

  onDrain(): void {
    this.#flush();
  }

  onEnd(): void {
    this.close("unavailable", "the controller closed the connection");
  }

  onClose(error: Error | null): void {
    this.#socket = null;
    this.close("unavailable", error === null ? "the connection to the controller broke" : error.message);
  }

  onConnectFailed(error: Error): void {
    const { host, port } = this.#options;
    this.#socket = null;
    this.close("unavailable", `controller ${host}:${port} cannot be reached: ${error.message}`);
  }

  /** For FrameReader. */
  onFrame(type: number, flags: number, id: number, payload: Uint8Array): void {
    if (!this.usable && this.#socket === null) return; // closed by an earlier frame of the same read
    if (this.#headerStream !== 0 && type !== h2.CONTINUATION) {
      return this.#violation("a frame inside of a header block");
    }
    switch (type) {
      case h2.DATA:
        return this.#data(flags, id, payload);
      case h2.HEADERS:
        return this.#headers(flags, id, payload);
      case h2.CONTINUATION:
        if (id !== this.#headerStream || id === 0) return this.#violation("CONTINUATION without HEADERS");
        return this.#headerFragment(flags, payload);
      case h2.RST_STREAM:
        return this.#peerReset(id, payload);
      case h2.SETTINGS:
        return this.#settings(flags, payload);
      case h2.PING:
        return this.#pingFrame(flags, payload);
      case h2.GOAWAY:
        return this.close("unavailable", "the controller is going away");
      case h2.WINDOW_UPDATE:
        return this.#windowUpdate(id, payload);
      case h2.PUSH_PROMISE:
        return this.#violation("PUSH_PROMISE");
    }
  }

  #data(flags: number, id: number, payload: Uint8Array): void {
    const call = this.#calls.get(id);
    this.#unacknowledged += payload.length;
    if (this.#unacknowledged >= REFILL_BYTES) {
      this.#putWindowUpdate(0, this.#unacknowledged);
      this.#unacknowledged = 0;
    }
    if (call === undefined) return; // frames on their way when we reset
    const content = unpadded(flags, payload);
    if (content === null) return this.#violation("padding longer than its frame");
    call.unacknowledged += payload.length;
    if (call.unacknowledged >= REFILL_BYTES && (flags & h2.END_STREAM) === 0) {
      this.#putWindowUpdate(id, call.unacknowledged);
      call.unacknowledged = 0;
    }
    if (call.receive(content) && (flags & h2.END_STREAM) !== 0) this.#peerEnd(call);
  }

  #headers(flags: number, id: number, payload: Uint8Array): void {
    const content = unpadded(flags, payload);
    const skip = (flags & h2.PRIORITY_FLAG) !== 0 ? 5 : 0;
    if (content === null || content.length < skip || id === 0) return this.#violation("malformed HEADERS");
    this.#headerStream = id;
    this.#headerFlags = flags;
    this.#header.length = 0;
    this.#headerFragment(flags, content.subarray(skip));
  }

  #headerFragment(flags: number, fragment: Uint8Array): void {
    const header = this.#header;
    if (header.length + fragment.length > MAX_HEADER_BYTES) return this.#violation("a header block that is too large");
    header.append(fragment, 0, fragment.length);
    if ((flags & h2.END_HEADERS) === 0) return;
    const call = this.#calls.get(this.#headerStream);
    this.#headerStream = 0;
    const kind = call !== undefined && call.status !== 0 ? TRAILERS : RESPONSE;
    const block = this.#decoder.decode(header.buffer, 0, header.length, kind);
    if (typeof block === "number") return this.#violation("a header block that cannot be read");
    if (call === undefined) return;
    if (call.status === 0 && block.status >= 200) call.status = block.status;
    if ((this.#headerFlags & h2.END_STREAM) !== 0) this.#peerEnd(call);
  }

  /** The response is whole. What we have not sent is of no use any more. */
  #peerEnd(call: Call): void {
    if (!call.sentEnd) this.reset(call);
    else this.#forget(call);
    call.receiveEnd();
  }

  #peerReset(id: number, payload: Uint8Array): void {
    const call = this.#calls.get(id);
    if (call === undefined || payload.length !== 4) return;
    this.#forget(call);
    // Not a cancellation of ours: the controller went away, or refused.
    call.end({ code: "unavailable", message: `the controller reset the stream: ${errorCodeName(number4(payload))}` });
  }

  #settings(flags: number, payload: Uint8Array): void {
    if ((flags & h2.ACK) !== 0) return;
    if (payload.length % 6 !== 0) return this.#violation("malformed SETTINGS");
    for (let at = 0; at < payload.length; at += 6) {
      const id = ((payload[at] as number) << 8) | (payload[at + 1] as number); // whole settings
      const value = number4(payload.subarray(at + 2));
      if (id === h2.SETTINGS_HEADER_TABLE_SIZE) this.#encoder.setMaxTableSize(value);
      else if (id === h2.SETTINGS_INITIAL_WINDOW_SIZE) {
        if (value > MAX_WINDOW_BYTES) return this.#violation("a window that is too large");
        for (const call of this.#calls.values()) call.sendWindow += value - this.#initialSendWindow;
        this.#initialSendWindow = value;
      }
    }
    h2.putFrameHeader(this.#out, 0, h2.SETTINGS, h2.ACK, 0);
    this.#sendAll();
  }

  #pingFrame(flags: number, payload: Uint8Array): void {
    if (payload.length !== 8) return this.#violation("malformed PING");
    if ((flags & h2.ACK) !== 0) {
      this.#pingOut = false;
      return;
    }
    h2.putFrameHeader(this.#out, 8, h2.PING, h2.ACK, 0);
    this.#out.append(payload, 0, 8);
  }

  #windowUpdate(id: number, payload: Uint8Array): void {
    if (payload.length !== 4) return this.#violation("malformed WINDOW_UPDATE");
    const increment = number4(payload) & 0x7fff_ffff;
    const call = this.#calls.get(id);
    if (id === 0) this.#sendWindow += increment;
    else if (call !== undefined) call.sendWindow += increment;
    if (this.#sendWindow > MAX_WINDOW_BYTES) return this.#violation("a window that is too large");
    this.#sendAll();
  }

  #ping(): void {
    if (this.#pingOut) {
      return this.close("unavailable", "the controller does not answer any more");
    }
    this.#pingOut = true;
    h2.putFrameHeader(this.#out, 8, h2.PING, 0, 0);
    this.#out.append(PING_PAYLOAD, 0, 8);
    this.#flush();
  }

  #sendAll(): void {
    for (const call of this.#calls.values()) this.#sendData(call);
  }

  /** Moves what the windows allow into the out buffer. */
  #sendData(call: Call): void {
    while (call.outgoing.length > 0) {
      const bytes = call.outgoing[0] as Uint8Array; // not empty
      const count = Math.min(bytes.length, MAX_FRAME_BYTES, this.#sendWindow, call.sendWindow);
      if (count <= 0 && bytes.length > 0) return;
      h2.putFrameHeader(this.#out, count, h2.DATA, 0, call.id);
      this.#out.append(bytes, 0, count);
      this.#sendWindow -= count;
      call.sendWindow -= count;
      if (count < bytes.length) call.outgoing[0] = bytes.subarray(count);
      else call.outgoing.shift();
    }
    if (!call.sendDone || call.sentEnd) return;
    call.sentEnd = true;
    h2.putFrameHeader(this.#out, 0, h2.DATA, h2.END_STREAM, call.id);
  }

  #flush(): void {
    const out = this.#out;
    if (!this.#ready || this.#socket === null || out.length === 0) return;
    const taken = this.#socket.write(out.buffer.subarray(0, out.length));
    if (taken < 0) return;
    out.buffer.copyWithin(0, taken, out.length);
    out.length -= taken;
    if (out.length > MAX_UNSENT_BYTES) this.close("unavailable", "the controller does not read");
  }

  #forget(call: Call): void {
    this.#calls.delete(call.id);
    if (this.#calls.size > 0) return;
    this.usable = false;
    clearTimeout(this.#timer);
    this.#socket?.end();
  }

  #endAll(error: RpcError | null): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.end(error);
  }

  #violation(what: string): void {
    this.close("internal", `the controller sent ${what}`);
  }

  #putWindowUpdate(id: number, increment: number): void {
    h2.putFrameHeader(this.#out, 4, h2.WINDOW_UPDATE, 0, id);
    this.#put4(increment);
  }

  #put4(value: number): void {
    this.#out.put1(value >>> 24);
    this.#out.put3(value & 0xff_ffff);
  }
}

const PING_PAYLOAD = new TextEncoder().encode("tulle-pg");
