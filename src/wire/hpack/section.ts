/**
 * Collects the fields of one header section and holds it against the rules of RFC 9113 §8.2, §8.3 and RFC 8441 §4.
 *
 * One object serves all decoders: a section is collected without interruption.
 */
import {
  EXPECTS_CONTINUE,
  HAS_TE_TRAILERS,
  HeaderBlock,
  IS_GRPC,
  parseDecimal,
  withoutContentLength,
} from "../header_block.ts";
import {
  AUTHORITY,
  CONTENT_LENGTH,
  COOKIE,
  EXPECT,
  GRPC,
  HOST,
  INVALID,
  METHOD,
  PATH,
  PLAIN,
  PROTOCOL,
  SCHEME,
  STATUS,
  TE,
} from "./field_class.ts";

/** Which rules a section has to keep. */
export const REQUEST = 0;
export const RESPONSE = 1;
export const TRAILERS = 2;
export type BlockKind = typeof REQUEST | typeof RESPONSE | typeof TRAILERS;

const REQUEST_PSEUDO = (1 << METHOD) | (1 << SCHEME) | (1 << AUTHORITY) | (1 << PATH) | (1 << PROTOCOL);
/** The pseudo-header fields each kind may have, as bits by class. */
const ALLOWED: readonly number[] = [REQUEST_PSEUDO, 1 << STATUS, 0];
const NEEDED_IN_REQUEST = (1 << METHOD) | (1 << SCHEME) | (1 << PATH);
const NEEDED_IN_EXTENDED_CONNECT = REQUEST_PSEUDO;
const NEEDED_IN_CONNECT = (1 << METHOD) | (1 << AUTHORITY);

export class Section {
  #kind: BlockKind = REQUEST;
  #malformed = false;
  /** Classes seen, as bits: pseudo-header fields and those that may come only once. */
  #seen = 0;
  /** A regular field was seen: pseudo-header fields may no longer follow. */
  #regular = false;
  #flags = 0;
  #contentLength = -1;
  #host = "";
  /** Where the value of the cookie field is among the fields, -1: none yet. */
  #cookieAt = -1;
  #sensitive: string[] | null = null;
  /** [name, value, …]; beyond `#length` it holds what earlier sections left. */
  readonly #fields: string[] = [];
  #length = 0;
  readonly #start = { method: "", scheme: "", authority: "", path: "", protocol: "", status: 0 };

  begin(kind: BlockKind): void {
    this.#kind = kind;
    this.#malformed = false;
    this.#seen = 0;
    this.#regular = false;
    this.#flags = 0;
    this.#contentLength = -1;
    this.#host = "";
    this.#cookieAt = -1;
    this.#sensitive = null;
    this.#length = 0;
    const start = this.#start;
    start.method =
      start.scheme =
      start.authority =
      start.path =
      start.protocol =
        "";
    start.status = 0;
  }

  /** Takes the next field; `cls` is its class (see field_class.ts). */
  add(cls: number, name: string, value: string): void {
    if (cls === PLAIN) {
      this.#regular = true;
      this.#fields[this.#length++] = name;
      this.#fields[this.#length++] = value;
    } else if (cls >= METHOD && cls <= STATUS) this.#addPseudo(cls, value);
    else this.#addSpecial(cls, name, value);
  }

  /** Notes that a field came as never indexed (RFC 7541 §6.2.3). */
  addSensitive(name: string): void {
    this.#sensitive ??= [];
    this.#sensitive.push(name);
  }

  /** The section as a block, or null when it is malformed. Call once, after the last field. */
  finish(): HeaderBlock | null {
    if (this.#malformed || !this.#isComplete()) return null;
    let fields = this.#fields.slice(0, this.#length);
    let contentLength = this.#contentLength;
    const { status } = this.#start;
    if (contentLength >= 0 && (status === 204 || (status < 200 && this.#kind === RESPONSE))) {
      // Whoever believes what an interim response announces takes the final one for a body.
      if (contentLength > 0 && status < 200) return null;
      fields = withoutContentLength(fields);
      contentLength = -1;
    }
    const block = new HeaderBlock(this.#start, fields, contentLength, this.#flags);
    if (this.#sensitive !== null) block.sensitive = this.#sensitive;
    return block;
  }

  #addPseudo(cls: number, value: string): void {
    const bit = 1 << cls;
    if (this.#regular || (this.#seen & bit) !== 0 || ((ALLOWED[this.#kind] as number) & bit) === 0) { // a kind
      this.#malformed = true;
      return;
    }
    this.#seen |= bit;
    const start = this.#start;
    switch (cls) {
      case METHOD:
        start.method = value;
        break;
      case SCHEME:
        start.scheme = value;
        break;
      case AUTHORITY:
        start.authority = value;
        break;
      case PATH:
        start.path = value;
        break;
      case PROTOCOL:
        start.protocol = value;
        break;
      case STATUS:
        start.status = parseDecimal(value);
        break;
    }
  }

  #addSpecial(cls: number, name: string, value: string): void {
    this.#regular = true;
    switch (cls) {
      case CONTENT_LENGTH:
        if ((this.#seen & (1 << CONTENT_LENGTH)) !== 0 || this.#kind === TRAILERS) this.#malformed = true;
        this.#seen |= 1 << CONTENT_LENGTH;
        this.#contentLength = parseDecimal(value);
        break;
      case HOST:
        if (this.#kind === RESPONSE) break;
        if ((this.#seen & (1 << HOST)) !== 0 || this.#kind === TRAILERS) this.#malformed = true;
        this.#seen |= 1 << HOST;
        this.#host = value;
        return; // :authority holds it
      case COOKIE: // crumbs become one field (RFC 9113 §8.2.3)
        if (this.#cookieAt >= 0) {
          this.#fields[this.#cookieAt] += "; " + value;
          return;
        }
        this.#cookieAt = this.#length + 1;
        break;
      case TE:
        this.#flags |= HAS_TE_TRAILERS;
        break;
      case GRPC:
        this.#flags |= IS_GRPC;
        break;
      case EXPECT:
        this.#flags |= EXPECTS_CONTINUE;
        break;
      case INVALID:
        this.#malformed = true;
        return;
    }
    this.#fields[this.#length++] = name;
    this.#fields[this.#length++] = value;
  }

  #isComplete(): boolean {
    if (this.#kind === TRAILERS) return true;
    if (this.#kind === RESPONSE) return (this.#seen & (1 << STATUS)) !== 0;
    const start = this.#start;
    const pseudo = this.#seen & REQUEST_PSEUDO;
    if (start.protocol !== "") {
      return pseudo === NEEDED_IN_EXTENDED_CONNECT && start.method === "CONNECT" && this.#settle();
    }
    if (start.method === "CONNECT") return pseudo === NEEDED_IN_CONNECT && start.authority !== "" && this.#settle();
    return (pseudo & NEEDED_IN_REQUEST) === NEEDED_IN_REQUEST && this.#settle();
  }

  /** Settles :authority with Host (RFC 9113 §8.3.1) and checks the form of the path; false: malformed. */
  #settle(): boolean {
    const start = this.#start;
    const host = this.#host;
    if (host !== "") {
      if (start.authority === "") start.authority = host;
      else if (start.authority !== host && start.authority.toLowerCase() !== host.toLowerCase()) return false;
    }
    if (start.method === "CONNECT" && start.protocol === "") return true;
    return start.path.charCodeAt(0) === 0x2f || (start.path === "*" && start.method === "OPTIONS");
  }
}
