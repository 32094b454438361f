/**
 * Changes that the proxies themselves make to requests, each remembered on the block it was made of.
 *
 *   tulle-orig-proto    client side → server side: the request was HTTP/1.x; the application gets it as such
 *   tulle-orig-method   … and its method, when an upgrade travels as extended CONNECT
 *   tulle-orig-upgrade  … and what it asks for, where that is more than the name of one protocol; server side → client
 *                       side: the protocol that the application has switched to
 *   tulle-declared      … what the Service says that the application speaks, with extended CONNECT
 *   tulle-orig-reason   server side → client side: a reason phrase that is not the usual one
 *   tulle-upgrade       … "ignored": a 2xx that opens no tunnel, because the application did not take the upgrade
 *   tulle-client-id     server side → application: verified SPIFFE ID of the client
 *
 * Names that start with "tulle-", and x-forwarded-client-cert, never pass from an application or from outside: what the
 * application reads in them comes from its own sidecar.
 */
import type { Protocol } from "../../model/outbound.ts";
import { HeaderBlock, headerBlock, NO_START } from "../../wire/header_block.ts";
import { isOfHeadOnly } from "../../wire/http1/trailer_names.ts";
import { upgradeWithoutHttp2 } from "../../wire/http1/upgrade.ts";

/** Flag of a block (beside those of header_block.ts): the client spoke HTTP/1.1, or HTTP/1.0. */
export const FROM_HTTP11 = 256;
export const FROM_HTTP10 = 512;

/** `:protocol` of the streams that carry opaque connections. */
export const TCP_PROTOCOL = "tulle-tcp";
const RESERVED_PREFIX = "tulle-";
const FIRST_OF_OURS = RESERVED_PREFIX.charCodeAt(0);
const CLIENT_CERT = "x-forwarded-client-cert";
const NO_LETTER_OR_DIGIT = /[^a-z0-9]/g;
const ORIG_PROTO = "tulle-orig-proto";
const ORIG_METHOD = "tulle-orig-method";
const ORIG_UPGRADE = "tulle-orig-upgrade";
const ORIG_REASON = "tulle-orig-reason";
const DECLARED = "tulle-declared";
const UPGRADE = "tulle-upgrade";

/** Where the name of an upgrade's first protocol ends: its version, or the next one. */
const NAME_END = /[/,]/;

/** An edit is identified by an object, which blocks remember. */
const STRIP = {};
const MESH_HTTP11 = {};
const MESH_HTTP10 = {};
const RESPONSE = {};
const APPLICATION = {};

/**
 * The request as it goes to an endpoint.
 *
 * @param meshed the endpoint has a sidecar: it is told what the client spoke
 * @param minorVersion HTTP/1 minor version of the client, -1 for HTTP/2
 */
export function outboundRequest(block: HeaderBlock, meshed: boolean, minorVersion: number): HeaderBlock {
  const key = !meshed || minorVersion < 0 ? STRIP : minorVersion === 1 ? MESH_HTTP11 : MESH_HTTP10;
  if (block.editKey === key && block.editValue !== null) return block.editValue;
  if (key === STRIP) return remember(block, key, without(block, isReserved));
  const fields = fieldsWithout(block.fields, isReserved);
  return remember(block, key, edited(block, [...fields, ORIG_PROTO, minorVersion === 1 ? "HTTP/1.1" : "HTTP/1.0"]));
}

/**
 * An upgrade of HTTP/1.1 as extended CONNECT (RFC 8441 §4), on its way to a sidecar.
 *
 * @param upgrade what was asked for, not empty: a list of protocols with or without a version
 */
export function upgradeRequest(block: HeaderBlock, upgrade: string): HeaderBlock {
  const fields = [...fieldsWithout(block.fields, isReserved), ORIG_PROTO, "HTTP/1.1", ORIG_METHOD, block.method];
  const end = upgrade.search(NAME_END);
  const protocol = end < 0 ? upgrade : upgrade.slice(0, end); // RFC 8441 has one name, and no version
  if (end >= 0) fields.push(ORIG_UPGRADE, upgrade);
  const start = {
    method: "CONNECT",
    scheme: block.scheme === "" ? "http" : block.scheme,
    authority: block.authority,
    path: block.path,
    protocol,
    status: 0,
  };
  const made = headerBlock(start, fields);
  made.sensitive = block.sensitive;
  return made;
}

/** Extended CONNECT on its way to a sidecar, which may not know what the application speaks. */
export function declaringRequest(block: HeaderBlock, declared: Protocol): HeaderBlock {
  return headerBlock(block, [...fieldsWithout(block.fields, isReserved), DECLARED, declared]);
}

/** What the client's sidecar says that the application speaks. */
export function declaredToSidecar(block: HeaderBlock): Protocol {
  const said = block.get(DECLARED);
  return said === "http1" || said === "http2" ? said : "detect";
}

/**
 * What an application's connection is to be upgraded to for a sidecar's request, "" for nothing. HTTP/2 is left out again: not
 * every peer with a certificate is a sidecar of ours, and requests in an HTTP/2 connection would pass every policy.
 */
export function upgradeOf(request: HeaderBlock): string {
  return request.protocol === "" ? "" : upgradeWithoutHttp2("", request.get(ORIG_UPGRADE) ?? request.protocol);
}

/** An identity whose header is added: one object per client, so that blocks can remember it. */
export class ClientMark {
  readonly id: string;

  /** @param id SPIFFE ID, "" for a client without one */
  constructor(id: string) {
    this.id = id;
  }
}

/** The request as the application gets it. Its flags say what the client spoke. */
export function inboundRequest(block: HeaderBlock, mark: ClientMark, isMesh: boolean): HeaderBlock {
  if (block.editKey === mark && block.editValue !== null) return block.editValue;
  const origin = isMesh ? block.get(ORIG_PROTO) : null;
  const fields = fieldsWithout(block.fields, isReserved);
  const out = mark.id === "" ? fields : [...fields, "tulle-client-id", mark.id];
  const flag = origin === "HTTP/1.1" ? FROM_HTTP11 : origin === "HTTP/1.0" ? FROM_HTTP10 : 0;
  const start = flag !== 0 && block.method === "CONNECT" && block.protocol !== "" ? upgradeStart(block) : block;
  const made = new HeaderBlock(start, out, block.contentLength, block.flags | flag);
  made.sensitive = block.sensitive;
  return remember(block, mark, made);
}

/** The response on its way to a client's sidecar, with a reason phrase that HTTP/2 cannot carry. */
export function withReason(block: HeaderBlock, reason: string): HeaderBlock {
  return edited(block, [...block.fields, ORIG_REASON, reason]);
}

/** The response on its way to a client's sidecar, with the protocol that the application has switched to. */
export function withSwitched(block: HeaderBlock, protocol: string): HeaderBlock {
  return headerBlock(block, [...block.fields, ORIG_UPGRADE, protocol]);
}

/** The response as the client's sidecar hands it on: without what only sidecars tell each other. */
export function outboundResponse(block: HeaderBlock): HeaderBlock {
  if (block.editKey === RESPONSE && block.editValue !== null) return block.editValue;
  const kept = without(block, isForSidecars);
  const protocol = kept === block ? null : block.get(ORIG_UPGRADE);
  const out = protocol === null ? kept : headerBlock({ ...NO_START, status: block.status, protocol }, kept.fields);
  return remember(block, RESPONSE, out);
}

/** The response as it leaves the application's sidecar: nothing that an application might say in our name. */
export function inboundResponse(block: HeaderBlock): HeaderBlock {
  if (block.editKey === APPLICATION && block.editValue !== null) return block.editValue;
  return remember(block, APPLICATION, without(block, isOurs));
}

/** The answer to an upgrade that the application ignored, on its way to the client's sidecar. */
export function ignoredUpgrade(block: HeaderBlock): HeaderBlock {
  return edited(block, [...block.fields, UPGRADE, "ignored"]);
}

/** Whether the server's sidecar says that its 2xx opens no tunnel. */
export function isIgnoredUpgrade(block: HeaderBlock): boolean {
  return block.get(UPGRADE) !== null;
}

/** A name that only proxies may use. The first character is looked at before the rest, as nearly all names end there. */
function isOurs(name: string): boolean {
  return name.charCodeAt(0) === FIRST_OF_OURS && asVariable(name).startsWith(RESERVED_PREFIX);
}

/** A name that no request may bring along. */
function isReserved(name: string): boolean {
  return isOurs(name) || (name.length === CLIENT_CERT.length && asVariable(name) === CLIENT_CERT);
}

/**
 * A name as applications see it that get headers as variables (CGI, WSGI, PHP): what is neither letter nor digit is one
 * character there, so that `tulle_client_id` would be read in place of our own field.
 */
function asVariable(name: string): string {
  return name.replace(NO_LETTER_OR_DIGIT, "-");
}

/** The request's trailers without what only a head may say, as some recipients merge them into it; null when none is left. */
export function requestTrailers(trailers: HeaderBlock): HeaderBlock | null {
  const kept = without(trailers, mayNotTrail);
  return kept.fields.length === 0 ? null : kept;
}

function mayNotTrail(name: string): boolean {
  return isReserved(name) || isOfHeadOnly(name);
}

function isForSidecars(name: string): boolean {
  return isOurs(name) &&
    (name === ORIG_REASON || name === ORIG_UPGRADE || name === UPGRADE || name === "tulle-unprocessed");
}

/** The same block when no name is to go. */
function without(block: HeaderBlock, goes: (name: string) => boolean): HeaderBlock {
  const fields = fieldsWithout(block.fields, goes);
  return fields === block.fields ? block : edited(block, fields);
}

/** The block with other fields, of which none that came or went is a fact of the block. */
function edited(block: HeaderBlock, fields: readonly string[]): HeaderBlock {
  return new HeaderBlock(block, fields, block.contentLength, block.flags);
}

/** The same array when no name is to go. */
function fieldsWithout(fields: readonly string[], goes: (name: string) => boolean): readonly string[] {
  let out: string[] | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs
    if (goes(name)) out ??= fields.slice(0, i);
    else out?.push(name, fields[i + 1] as string); // pairs
  }
  return out ?? fields;
}

/** Reason phrase that came with a response over the mesh, "" for the usual one. */
export function originalReason(block: HeaderBlock): string {
  return block.get(ORIG_REASON) ?? "";
}

function upgradeStart(block: HeaderBlock): HeaderBlock {
  const method = block.get(ORIG_METHOD) ?? "GET";
  return headerBlock({
    method,
    scheme: block.scheme,
    authority: block.authority,
    path: block.path,
    protocol: "",
    status: 0,
  }, []);
}

function remember(block: HeaderBlock, key: object, value: HeaderBlock): HeaderBlock {
  block.editKey = key;
  block.editValue = value;
  return value;
}
