/**
 * Watches one direction of a TLS connection from outside (RFC 8446 §5.1, §4.1).
 *
 * In TLS 1.3 each side sends one hello in the clear (two, after HelloRetryRequest), maybe an empty change_cipher_spec, and
 * from then on nothing but records of the type application_data. Anything else is said in `problem`.
 */

const RECORD_CHANGE_CIPHER_SPEC = 20;
const RECORD_HANDSHAKE = 22;
const RECORD_APPLICATION_DATA = 23;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const TLS_1_3 = 0x0304;
/** Longest record with its overhead (RFC 8446 §5.2). */
const MAX_RECORD_BYTES = 16384 + 256;
/** A hello with post-quantum key shares and a ticket is below 8 KiB. */
const MAX_HELLO_BYTES = 32 * 1024;
/** ServerHello.random of a HelloRetryRequest (RFC 8446 §4.1.3), its first bytes. */
const RETRY_RANDOM = [0xcf, 0x21, 0xad, 0x74];

export class TlsHalf {
  /** First thing that is not TLS 1.3; null when there is none. */
  problem: string | null = null;
  /** The hello was seen and speaks (client: offers, server: chose) TLS 1.3. */
  helloSeen = false;
  /** Bytes in records of application data. */
  protectedBytes = 0;
  readonly #isClient: boolean;
  readonly #header = new Uint8Array(5);
  #headerLength = 0;
  #type = 0;
  #left = 0;
  #hello: number[] = [];
  #protected = false;

  constructor(isClient: boolean) {
    this.#isClient = isClient;
  }

  /** Takes the next bytes, in any pieces. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.problem === null;) {
      if (this.#left === 0) {
        this.#header[this.#headerLength++] = bytes[at++] as number; // in range
        if (this.#headerLength === 5) this.#startRecord();
        continue;
      }
      const length = Math.min(this.#left, bytes.length - at);
      this.#take(bytes, at, at + length);
      at += length;
      this.#left -= length;
    }
  }

  #startRecord(): void {
    this.#headerLength = 0;
    const [type = 0, major = 0, , high = 0, low = 0] = this.#header;
    this.#type = type;
    this.#left = (high << 8) | low;
    if (major !== 3 || type < 20 || type > 23 || this.#left > MAX_RECORD_BYTES) {
      this.problem = `not TLS: a record starts with ${Buffer.from(this.#header).toString("hex")}`;
    } else if (type === RECORD_APPLICATION_DATA) {
      if (!this.helloSeen) this.problem = "application data before the hello";
      this.#protected = true;
    } else if (type === RECORD_HANDSHAKE) {
      if (this.#protected) this.problem = "a handshake record in the clear after the first protected record";
    } else if (type !== RECORD_CHANGE_CIPHER_SPEC) {
      this.problem = "an alert in the clear";
    }
  }

  #take(bytes: Uint8Array, from: number, to: number): void {
    if (this.#type === RECORD_APPLICATION_DATA) this.protectedBytes += to - from;
    if (this.#type !== RECORD_HANDSHAKE) return;
    for (let i = from; i < to; i++) this.#hello.push(bytes[i] as number); // in range
    if (this.#hello.length > MAX_HELLO_BYTES) this.problem = "a hello without end";
    else this.#readHello();
  }

  /** A handshake message: type u8, length u24, body. */
  #readHello(): void {
    const [type = 0, a = 0, b = 0, c = 0] = this.#hello;
    const end = 4 + ((a << 16) | (b << 8) | c);
    if (this.#hello.length < 4 || this.#hello.length < end) return;
    const body = Uint8Array.from(this.#hello.slice(4, end));
    this.#hello = this.#hello.slice(end);
    if (type !== (this.#isClient ? CLIENT_HELLO : SERVER_HELLO)) {
      this.problem = `handshake message ${type} in the clear`;
      return;
    }
    const retry = !this.#isClient && RETRY_RANDOM.every((byte, i) => body[2 + i] === byte);
    if (retry) return; // another ServerHello follows
    const versions = readVersions(body, this.#isClient);
    if (versions.includes(TLS_1_3)) this.helloSeen = true;
    else this.problem = `the ${this.#isClient ? "client does not offer" : "server did not choose"} TLS 1.3`;
  }
}

/** Values of the extension supported_versions; the legacy version when it is absent or cut short. */
function readVersions(hello: Uint8Array, isClient: boolean): number[] {
  const view = new DataView(hello.buffer, hello.byteOffset, hello.byteLength);
  try {
    let at = 34; // legacy_version, random
    at += 1 + view.getUint8(at); // session id
    at += isClient ? 2 + view.getUint16(at) : 2; // cipher suites, or the chosen one
    at += isClient ? 1 + view.getUint8(at) : 1; // compression methods, or the chosen one
    const end = at + 2 + view.getUint16(at);
    for (at += 2; at + 4 <= end; at += 4 + view.getUint16(at + 2)) {
      if (view.getUint16(at) !== EXTENSION_SUPPORTED_VERSIONS) continue;
      if (!isClient) return [view.getUint16(at + 4)];
      return Array.from({ length: view.getUint8(at + 4) >> 1 }, (_, i) => view.getUint16(at + 5 + 2 * i));
    }
    return [view.getUint16(0)];
  } catch {
    return []; // shorter than it says
  }
}
