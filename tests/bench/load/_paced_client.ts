/** A connection of the mixed load: it starts an exchange when told to, and is replaced by a new one after some. */
import type { Socket } from "bun";
import type { Meter } from "./_meter.ts";
import type { OpenLoopPeer } from "./_open_loop_peers.ts";

/** Wait before a connection that could not be had is tried again. */
const RETRY_MS = 50;

export class PacedClient {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #make: () => OpenLoopPeer;
  readonly #maxExchanges: number;
  readonly #meter: Meter;
  #peer: OpenLoopPeer | null = null;
  #socket: Socket<undefined> | null = null;
  #waiting: Uint8Array[] = [];
  #started = 0;
  #underWay = 0;

  /** @param maxExchanges on one connection */
  constructor(
    address: { readonly host: string; readonly port: number },
    make: () => OpenLoopPeer,
    maxExchanges: number,
    meter: Meter,
  ) {
    this.#address = address;
    this.#make = make;
    this.#maxExchanges = maxExchanges;
    this.#meter = meter;
    this.#connect();
  }

  /** True when another exchange may start. */
  get isFree(): boolean {
    return this.#peer !== null && this.#started < this.#maxExchanges && this.#peer.isFree();
  }

  start(): void {
    if (this.#peer === null) return;
    this.#started++;
    this.#underWay++;
    this.#write(this.#peer.request(Bun.nanoseconds()));
  }

  #connect(): void {
    this.#started = 0;
    this.#underWay = 0;
    this.#waiting = [];
    Bun.connect<undefined>({
      hostname: this.#address.host,
      port: this.#address.port,
      socket: {
        open: (socket) => this.#opened(socket),
        data: (socket, bytes) => this.#received(socket, bytes),
        drain: () => this.#write(new Uint8Array(0)),
        close: (socket) => this.#closed(socket),
        error() {},
      },
    }).catch((cause: Error) => {
      this.#meter.fail(cause.message);
      setTimeout(() => this.#connect(), RETRY_MS);
    });
  }

  #opened(socket: Socket<undefined>): void {
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#peer = this.#make();
    if (this.#peer.preface.length > 0) this.#write(this.#peer.preface);
  }

  #received(socket: Socket<undefined>, bytes: Buffer): void {
    try {
      const reply = this.#peer?.read(bytes, Bun.nanoseconds(), this.#finish) ?? null;
      if (reply !== null) this.#write(reply);
    } catch (cause) {
      this.#meter.fail(cause instanceof Error ? cause.message : String(cause));
      socket.terminate();
      return;
    }
    if (this.#started < this.#maxExchanges || this.#underWay > 0) return;
    this.#peer = null;
    socket.end();
  }

  readonly #finish = (due: number, ok: boolean, now: number) => {
    this.#underWay--;
    if (ok) this.#meter.done(now - due);
    else this.#meter.fail("an exchange did not go well");
  };

  #closed(socket: Socket<undefined>): void {
    if (socket !== this.#socket) return;
    if (this.#peer !== null) this.#meter.fail(`a connection was closed with ${this.#underWay} exchanges under way`);
    this.#peer = null;
    this.#connect();
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#waiting.push(bytes);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = this.#socket?.write(first) ?? 0;
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(Math.max(0, taken));
        return;
      }
      this.#waiting.shift();
    }
  }
}
