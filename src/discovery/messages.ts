/** The other messages of the controller's services, by hand: requests out, responses in. Field numbers are the protos'. */
import type { CertifyReply, TrustBundle } from "../model/trust.ts";
import { bad, ok, type Result } from "../base/result.ts";
import { ProtoReader } from "../wire/protobuf/reader.ts";
import { ProtoWriter } from "../wire/protobuf/writer.ts";
import { nested } from "./check.ts";
import { readSecondsMs } from "./decode_common.ts";

/** Who this proxy is. */
export interface Hello {
  readonly namespace: string;
  readonly name: string;
  readonly proxyVersion: string;
  /** Resource name → version that is still here. */
  readonly knownVersions: ReadonlyMap<string, string>;
}

/** SubscribeResponse with its resource still encoded. */
export interface RawUpdate {
  readonly name: string;
  readonly version: string;
  readonly kind: "outbound" | "inbound" | "unknown";
  readonly body: Uint8Array;
}

/** SubscribeRequest{hello}. */
export function encodeHello(hello: Hello): Uint8Array {
  const workload = new ProtoWriter().text(1, hello.namespace).text(2, hello.name).finish();
  const message = new ProtoWriter().bytes(1, workload).text(2, hello.proxyVersion);
  for (const [name, version] of hello.knownVersions) {
    message.bytes(3, new ProtoWriter().text(1, name).text(2, version).finish());
  }
  return new ProtoWriter().bytes(1, message.finish()).finish();
}

/** SubscribeRequest{watch}. */
export function encodeWatch(add: readonly string[], remove: readonly string[]): Uint8Array {
  const message = new ProtoWriter();
  for (const key of add) message.text(1, key);
  for (const key of remove) message.text(2, key);
  return new ProtoWriter().bytes(2, message.finish()).finish();
}

/** SubscribeRequest{ack}. @param error "" when the version is in force */
export function encodeAck(name: string, version: string, error: string): Uint8Array {
  return new ProtoWriter().bytes(3, new ProtoWriter().text(1, name).text(2, version).text(3, error).finish()).finish();
}

/** SubscribeResponse; null when it is no valid protobuf. */
export function decodeUpdate(bytes: Uint8Array): RawUpdate | null {
  const r = new ProtoReader(bytes);
  let name = "";
  let version = "";
  let kind: RawUpdate["kind"] = "unknown";
  let body: Uint8Array = new Uint8Array(0);
  while (r.next()) {
    if (r.field === 1) name = r.text();
    else if (r.field === 2) version = r.text();
    else if (r.field === 3 || r.field === 4) {
      kind = r.field === 3 ? "outbound" : "inbound";
      body = r.view();
    } else r.skip();
  }
  return r.failed ? null : { name, version, kind, body };
}

/** CertifyRequest. */
export function encodeCertify(token: string, csr: Uint8Array): Uint8Array {
  return new ProtoWriter().text(1, token).bytes(2, csr).finish();
}

/** CertifyResponse. */
export function decodeCertify(bytes: Uint8Array): Result<CertifyReply> {
  const r = new ProtoReader(bytes);
  const chain: Uint8Array[] = [];
  let spiffeId = "";
  let notBeforeMs = 0;
  let notAfterMs = 0;
  let bundle: TrustBundle = NO_BUNDLE;
  while (r.next()) {
    if (r.field === 1) chain.push(r.view().slice());
    else if (r.field === 2) spiffeId = r.text();
    else if (r.field === 3) notBeforeMs = nested(r, readSecondsMs);
    else if (r.field === 4) notAfterMs = nested(r, readSecondsMs);
    else if (r.field === 5) bundle = nested(r, readBundle);
    else r.skip();
  }
  return r.failed ? malformed("CertifyResponse") : ok({ chain, spiffeId, notBeforeMs, notAfterMs, bundle });
}

/** WatchTrustResponse. */
export function decodeTrust(bytes: Uint8Array): Result<TrustBundle> {
  const r = new ProtoReader(bytes);
  let bundle: TrustBundle = NO_BUNDLE;
  while (r.next()) {
    if (r.field === 1) bundle = nested(r, readBundle);
    else r.skip();
  }
  return r.failed ? malformed("WatchTrustResponse") : ok(bundle);
}

const NO_BUNDLE: TrustBundle = { trustDomain: "", roots: [], version: 0 };

function readBundle(r: ProtoReader): TrustBundle {
  let trustDomain = "";
  let version = 0;
  const roots: Uint8Array[] = [];
  while (r.next()) {
    if (r.field === 1) trustDomain = r.text();
    else if (r.field === 2) roots.push(r.view().slice());
    else if (r.field === 3) version = r.number();
    else r.skip();
  }
  return { trustDomain, roots, version };
}

function malformed(message: string): Result<never> {
  return bad(message, "malformed protobuf", "a message of tulle.identity.v1");
}
