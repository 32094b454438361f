/**
 * Extended CONNECT (RFC 8441) of HTTP/2 clients on its way to an application, which may or may not know it:
 *
 *   HTTP/2, announces SETTINGS_ENABLE_CONNECT_PROTOCOL   it gets the request as it is
 *   HTTP/2 without that                                  501: it could not read the request
 *   HTTP/1.1                                             it gets an upgrade (RFC 8441 §5, RFC 6455 §4.1)
 *
 * What a port speaks is declared, or found out once: a server that answers the HTTP/2 preface with anything but SETTINGS
 * speaks HTTP/1.1. Nothing of the request has been sent then.
 *
 * An upgrade and an extended CONNECT for the same thing are one request in two spellings. So routes and policy decide
 * about the GET that an HTTP/1.1 application would see, whichever version the client speaks.
 */
import type { Protocol } from "../../model/outbound.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { upgradeWithoutHttp2 } from "../../wire/http1/upgrade.ts";
import type { Exchange } from "./exchange.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { type Failure, failure } from "../upstream/failure.ts";

/** How long it is remembered that an application does not speak HTTP/2: it may be replaced by one that does. */
const HTTP1_MEMORY_MS = 600_000;
const KEY = "sec-websocket-key";
const ACCEPT = "sec-websocket-accept";
/** RFC 6455 §1.3 */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES = 16;
const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const AS_GET = {};

/** The request that routes and policy decide about. */
export function decidedRequest(block: HeaderBlock): HeaderBlock {
  if (block.protocol === "" || block.method !== "CONNECT") return block;
  if (block.editKey === AS_GET && block.editValue !== null) return block.editValue;
  const made = headerBlock({ ...startOf(block), protocol: "" }, block.fields);
  block.editKey = AS_GET;
  block.editValue = made;
  return made;
}

/** An HTTP/2 client's request to switch protocols, as opposed to an upgrade that another sidecar has spelled so. */
export function isExtendedConnect(exchange: Exchange, head: HeaderBlock): boolean {
  return head.protocol !== "" && exchange.upgrade === "";
}

/** Extended CONNECT on its way to an application. */
export class ExtendedConnect {
  readonly #application: EndpointState;
  readonly #head: HeaderBlock;
  readonly #declared: Protocol;
  readonly #tryTimeoutMs: number;
  /** The upgrade that it was made into; null while the application is asked in HTTP/2. */
  #upgrade: HeaderBlock | null = null;

  /**
   * @param application it is reached in plaintext
   * @param declared what its port is said to speak
   * @param tryTimeoutMs limit until the response head; 0 for none
   */
  constructor(application: EndpointState, head: HeaderBlock, declared: Protocol, tryTimeoutMs: number) {
    this.#application = application;
    this.#head = head;
    this.#declared = declared;
    this.#tryTimeoutMs = tryTimeoutMs;
  }

  /** True when the application was asked for an upgrade. */
  get isTranslated(): boolean {
    return this.#upgrade !== null;
  }

  /** Sends it, in the form that the application understands as far as that is known. */
  send(exchange: Exchange): void {
    exchange.extended = this;
    const { clock, random } = exchange.context;
    const isHttp1 = this.#declared === "http1" || this.#application.http1UntilMs > clock();
    if (!isHttp1) return exchange.dispatch(this.#application, this.#head, PLAIN, true, this.#tryTimeoutMs);
    const upgrade = upgradeWithoutHttp2("", this.#head.protocol);
    // Requests in an HTTP/2 connection would pass every policy.
    if (upgrade === "") return exchange.fail(failure("no_upgrade", "HTTP/2 is not upgraded to"));
    this.#upgrade = upgradeFrom(this.#head, random);
    const http1 = { minorVersion: 1 as const, upgrade };
    exchange.dispatch(this.#application, this.#upgrade, http1, false, this.#tryTimeoutMs);
  }

  /** Sends it as an upgrade when the application has turned out not to speak HTTP/2; false when nothing more is done. */
  retry(exchange: Exchange, error: Failure): boolean {
    if (error.code !== "not_http2" || this.#declared === "http2" || this.#declared === "grpc") return false;
    this.#application.http1UntilMs = exchange.context.clock() + HTTP1_MEMORY_MS;
    this.send(exchange);
    return true;
  }

  /** What is wrong with the application's answer to the upgrade; null when nothing is. */
  failureOf(answer: HeaderBlock): Failure | null {
    if (this.#upgrade === null) return null;
    if (answer.status >= 200 && answer.status < 300) {
      // To the client a 2xx would open a tunnel that the application knows nothing of.
      return failure("no_upgrade", `the application answered ${answer.status} and did not switch protocols`);
    }
    const key = this.#upgrade.get(KEY);
    if (answer.status !== 101 || key === null) return null;
    const wanted = new Bun.CryptoHasher("sha1").update(key + WEBSOCKET_GUID).digest("base64");
    if (answer.get(ACCEPT) === wanted) return null;
    return failure("upstream_protocol", "the application's sec-websocket-accept does not answer our key");
  }
}

/** The request as an upgrade. WebSocket has a key there that the answer must match; HTTP/2 has none. */
function upgradeFrom(head: HeaderBlock, random: () => number): HeaderBlock {
  const fields = head.fields.filter((_, i) => head.fields[i & ~1] !== KEY); // pairs
  if (head.protocol === "websocket") {
    const key = Uint8Array.from({ length: KEY_BYTES }, () => Math.floor(random() * 256));
    fields.push(KEY, Buffer.from(key).toString("base64"));
  }
  const made = headerBlock({ ...startOf(head), protocol: "" }, fields);
  made.sensitive = head.sensitive;
  return made;
}

/** The answer that an HTTP/2 client gets to its extended CONNECT, made of a 101. */
export function connectAnswer(answer: HeaderBlock): HeaderBlock {
  const fields = answer.fields.filter((_, i) => answer.fields[i & ~1] !== ACCEPT); // pairs
  return headerBlock({ method: "", scheme: "", authority: "", path: "", protocol: "", status: 200 }, fields);
}

function startOf(block: HeaderBlock) {
  const { scheme, authority, path, protocol } = block;
  return { method: "GET", scheme, authority, path, protocol, status: 0 };
}
