import { expect, test } from "bun:test";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { request } from "node:https";
import { createCa } from "../../tests/support/certificates.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { VALIDATE_PATH } from "../core/cluster_names.ts";
import { Registry } from "../core/metrics.ts";
import { REVIEW_LIMITS } from "./_reviews.ts";
import { Admission } from "./admission.ts";
import { WebhookServer } from "./webhook.ts";

const ca = await createCa();
const leaf = await ca.issue({ ips: ["127.0.0.1"] });
const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: { uid: "u1", operation: "DELETE" },
});

/** A webhook on loopback that has a place for one review of each address, of 1,000 bytes. */
async function rig() {
  const registry = new Registry();
  const admission = new Admission({
    inject: { defaults: {}, version: "0" } as never, // no pod is injected here
    namespace: () => Promise.resolve(null),
    ensureBundle: () => Promise.resolve(),
    log: { debug() {}, info() {}, warn() {}, error() {} } as never, // silent
    registry,
  });
  const webhook = await WebhookServer.listen({
    host: "127.0.0.1",
    port: 0,
    identity: { keyPem: leaf.key, certificatePem: leaf.certificate },
    admission,
    registry,
    limits: { ...REVIEW_LIMITS, reviews: 2, reviewBytes: 1000 },
  });
  const session = connect(`https://127.0.0.1:${webhook.port}`, { ca: ca.certificate });
  return {
    port: webhook.port,
    session,
    metrics: () => registry.render(),
    async [Symbol.asyncDispose]() {
      session.destroy();
      await webhook.close(0);
    },
  };
}

interface Reply {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

function begin(session: ClientHttp2Session): { stream: ClientHttp2Stream; reply: Promise<Reply> } {
  const stream = session.request({ ":method": "POST", ":path": VALIDATE_PATH });
  const reply = new Promise<Reply>((resolve, reject) => {
    let text = "";
    let head = { status: 0, retryAfter: undefined as string | undefined };
    stream.on("response", (headers) => {
      head = { status: Number(headers[":status"]), retryAfter: headers["retry-after"] as string | undefined };
    });
    stream.on("data", (chunk: Uint8Array) => text += Buffer.from(chunk).toString());
    stream.on("end", () => resolve({ ...head, text }));
    stream.on("error", reject);
  });
  return { stream, reply };
}

async function post(session: ClientHttp2Session, body: string): Promise<Reply> {
  const { stream, reply } = begin(session);
  stream.end(body);
  return await reply;
}

test("The webhook answers reviews of HTTP/2 and of HTTP/1.1", async () => {
  await using rigged = await rig();
  const { status, text } = await post(rigged.session, REVIEW);
  expect([status, JSON.parse(text).response]).toEqual([200, { uid: "u1", allowed: true }]);
  const old = await new Promise<number>((resolve, reject) => {
    const asked = request({
      ...{ host: "127.0.0.1", port: rigged.port, path: VALIDATE_PATH, method: "POST", ca: ca.certificate },
    }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", reject);
    asked.end(REVIEW);
  });
  expect(old).toBe(200);
});

test("The webhook refuses what is beyond an address' share with 429, and serves on", async () => {
  await using rigged = await rig();
  const first = begin(rigged.session);
  first.stream.write(REVIEW.slice(0, 5)); // it is under way, and stays so
  await eventually(async () => {
    const { status, retryAfter, text } = await post(rigged.session, REVIEW);
    expect([status, retryAfter]).toEqual([429, "1"]);
    expect(text).toStartWith("busy: ");
  });
  expect(rigged.metrics()).toMatch(/admission_reviews_refused_total\{reason="busy"\} [1-9]/);
  first.stream.end(REVIEW.slice(5));
  expect((await first.reply).status).toBe(200);
  expect((await post(rigged.session, REVIEW)).status).toBe(200);
});

test("The webhook refuses a review that is too large, and what is none", async () => {
  await using rigged = await rig();
  expect((await post(rigged.session, "x".repeat(1001))).status).toBe(413);
  const { status, text } = await post(rigged.session, "no JSON");
  expect([status, text]).toEqual([400, expect.stringContaining("bad review: ")]);
  expect((await post(rigged.session, "{}")).status).toBe(400);
  expect((await post(rigged.session, REVIEW)).status).toBe(200);
});
