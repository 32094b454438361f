import "reflect-metadata";
import { expect, onTestFinished, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { X509Certificate, X509CertificateGenerator } from "@peculiar/x509";
import { eventually } from "../../tests/support/eventually.ts";
import { createCa } from "../../tests/support/certificates.ts";
import type { Result } from "../base/result.ts";
import type { CertifyReply, IdentityTransport, TrustSink } from "../model/trust.ts";
import { fromPem, toPem } from "./pem.ts";
import { savedIdentity } from "./saved.ts";
import { IdentityStore, type SavedIdentity } from "./store.ts";
import type { Identity } from "./identity.ts";

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const ca = await createCa("one");
const second = await createCa("two");
const caKey = await crypto.subtle.importKey(
  "pkcs8",
  fromPem("PRIVATE KEY", ca.key)[0] as Uint8Array<ArrayBuffer>,
  ALGORITHM,
  true,
  ["sign"],
);
const rootOf = (pem: string) => fromPem("CERTIFICATE", pem)[0] as Uint8Array;

/** A controller that signs what it is asked for. */
class Signer implements IdentityTransport {
  calls = 0;
  failures = 0;
  lifetimeMs = 60_000;
  uri = FRONT;
  key: CryptoKey | null = null;
  sink: TrustSink | null = null;
  trustCalls = 0;

  async certify(token: string, csr: Uint8Array): Promise<Result<CertifyReply>> {
    this.calls++;
    if (this.failures-- > 0) return { ok: false, error: "unavailable: test" };
    if (token !== "secret") return { ok: false, error: `unauthenticated: ${token}` };
    const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import("@peculiar/x509");
    const request = new Pkcs10CertificateRequest(csr as Uint8Array<ArrayBuffer>);
    const leaf = await X509CertificateGenerator.create({
      subject: "",
      issuer: new X509Certificate(ca.certificate).subject,
      notBefore: new Date(Date.now() - 300_000),
      notAfter: new Date(Date.now() + this.lifetimeMs),
      signingAlgorithm: ALGORITHM,
      publicKey: this.key ?? await request.publicKey.export(),
      signingKey: caKey,
      extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: this.uri }])],
    });
    return {
      ok: true,
      value: {
        chain: [new Uint8Array(leaf.rawData)],
        spiffeId: FRONT,
        notBeforeMs: 0,
        notAfterMs: 0,
        bundle: { trustDomain: "cluster.local", roots: [rootOf(ca.certificate)], version: 1 },
      },
    };
  }

  watchTrust(sink: TrustSink): () => void {
    this.trustCalls++;
    this.sink = sink;
    return () => this.sink = null;
  }
}

/** By how much the store's wall clock is off. */
const skew = { ms: 0 };
const problems: string[] = [];

function store(saved: SavedIdentity | null = null, token = "secret\n", random = () => 0.5): IdentityStore {
  return new IdentityStore({
    readToken: () => Promise.resolve(token),
    now: () => Date.now() + skew.ms,
    monotonic: () => performance.now(),
    random,
    saved,
    onProblem: (error) => void problems.push(error),
  });
}

/** The next change for which the predicate holds. */
function change(of: IdentityStore, wanted: (identity: Identity) => boolean = () => true): Promise<Identity> {
  return new Promise((resolve) => {
    const end = of.onChange((identity) => {
      if (!wanted(identity)) return;
      end();
      resolve(identity);
    });
  });
}

test("start() certifies and offers PEM and a native context", async () => {
  const s = store();
  const changed = change(s);
  s.start(new Signer());
  const identity = await changed;
  s.stop();
  expect(s.current()).toBe(identity);
  expect([identity.spiffeId, identity.trustDomain, identity.trustVersion]).toEqual([FRONT, "cluster.local", 1]);
  expect(identity.caPem).toBe(toPem("CERTIFICATE", rootOf(ca.certificate)));
  expect(s.report()).toMatchObject({ refreshOk: 1, refreshError: 0, lastError: "", notAfterMs: identity.notAfterMs });
});

test("start() renews with a new key before the old certificate expires", async () => {
  const s = store();
  const signer = new Signer();
  signer.lifetimeMs = 2500; // dates are whole seconds
  const first = change(s, (i) => i.generation === 1);
  const renewed = change(s, (i) => i.generation === 2);
  s.start(signer);
  const [a, b] = await Promise.all([first, renewed]);
  s.stop();
  expect(Date.now()).toBeLessThan(a.notAfterMs);
  expect(b.keyPem).not.toBe(a.keyPem);
});

test("start() takes a certificate that is not valid by its clock only when it has no better one, and says what is wrong", async () => {
  onTestFinished(() => void (skew.ms = 0));
  const signer = new Signer();
  signer.lifetimeMs = 1_800_000;
  skew.ms = 3_600_000; // an hour ahead: what is made now has expired half an hour ago
  const ahead = store();
  const taken = change(ahead);
  ahead.start(signer);
  await taken;
  ahead.stop();
  expect(ahead.report().lastError).toMatch(/^clock_skew: .* 180[01] s or more apart; set the clock that is wrong/);
  expect(ahead.report()).toMatchObject({ refreshOk: 0, refreshError: 1 });
  expect(problems).toHaveLength(1);

  skew.ms = 0;
  const s = store();
  const first = change(s);
  s.start(signer);
  const good = await first;
  signer.lifetimeMs = -60_000; // the controller's clock is behind now
  s.stop();
  const again = store({ load: () => good, save: () => {} });
  const calls = signer.calls;
  again.start(signer);
  await eventually(() => expect(signer.calls).toBeGreaterThan(calls));
  await eventually(() => expect(again.report().refreshError).toBe(1));
  again.stop();
  expect(again.current()).toBe(good);
});

test("start() tries again after failures and says why meanwhile", async () => {
  const s = store();
  const signer = new Signer();
  signer.failures = 1;
  const changed = change(s);
  s.start(signer);
  await changed;
  s.stop();
  expect([signer.calls, s.report().refreshError, s.report().refreshOk]).toEqual([2, 1, 1]);
});

test("start() tries again the sooner, the less life the certificate has left", async () => {
  const first = store();
  const signer = new Signer();
  const made = change(first);
  first.start(signer);
  const good = await made;
  first.stop();
  signer.calls = 0;
  signer.failures = 1000;
  const s = new IdentityStore({
    readToken: () => Promise.resolve("secret"),
    now: () => good.notAfterMs - 2000, // stands still: waits that double would be 64 s in all
    monotonic: () => performance.now(),
    random: () => 0,
    saved: { load: () => good, save: () => {} },
    onProblem: () => {},
  });
  onTestFinished(() => s.stop());
  s.start(signer);
  await eventually(() => expect(signer.calls).toBeGreaterThanOrEqual(10));
  expect(s.current()).toBe(good);
}, 20_000);

test.each<[string, (signer: Signer) => void | Promise<void>, string]>([
  [
    "another identity",
    (s) => void (s.uri = "spiffe://cluster.local/ns/shop/sa/other"),
    "certificate_chain[0]: found URI names",
  ],
  ["another key", async (s) => {
    const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
    s.key = pair.publicKey;
  }, "certificate_chain[0]: found another public key"],
])("start() refuses a certificate for %s", async (_what, spoil, error) => {
  const s = store();
  const signer = new Signer();
  await spoil(signer);
  s.start(signer);
  while (s.report().refreshError === 0) await Bun.sleep(2);
  s.stop();
  expect(s.current()).toBeNull();
  expect(s.report().lastError).toStartWith(error);
});

test("onBundle() replaces the roots and keeps the certificate", async () => {
  const s = store();
  const signer = new Signer();
  const first = change(s);
  s.start(signer);
  const before = await first;
  while (signer.sink === null) await Bun.sleep(1);
  const changed = change(s);
  const roots = [rootOf(ca.certificate), rootOf(second.certificate)];
  signer.sink.onBundle({ trustDomain: "cluster.local", roots, version: 2 });
  const after = await changed;
  signer.sink.onBundle({ trustDomain: "cluster.local", roots: [], version: 3 }); // refused: the roots in force stay
  s.stop();
  expect([after.certPem, after.trustVersion, after.generation]).toEqual([before.certPem, 2, 2]);
  expect(fromPem("CERTIFICATE", s.current()?.caPem ?? "").length).toBe(2);
});

test("onBundle() renews the certificate when another root signs, and not when one is added", async () => {
  const s = store(null, "secret", () => 0);
  const signer = new Signer();
  const first = change(s);
  s.start(signer);
  const before = await first;
  while (signer.sink === null) await Bun.sleep(1);
  const [one, two] = [rootOf(ca.certificate), rootOf(second.certificate)];
  signer.sink.onBundle({ trustDomain: "cluster.local", roots: [one, two], version: 2 });
  const callsAfterAddition = signer.calls;
  const renewed = change(s, ({ certPem }) => certPem !== before.certPem);
  signer.sink.onBundle({ trustDomain: "cluster.local", roots: [two, one], version: 3 });
  await renewed;
  s.stop();
  expect([callsAfterAddition, signer.calls]).toEqual([1, 2]);
});

test("onEnd() of the trust stream opens it again", async () => {
  const s = store();
  const signer = new Signer();
  s.start(signer);
  while (signer.sink === null) await Bun.sleep(1);
  signer.sink.onEnd("unavailable");
  while (signer.trustCalls < 2) await Bun.sleep(10);
  s.stop();
  expect(s.report().lastError).toBe("unavailable");
});

test("savedIdentity() gives the identity to the next process, readable by its owner only", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-identity-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "state", "identity.json");
  const saved = savedIdentity(path, (error) => {
    throw error;
  });
  const s = store(saved);
  const changed = change(s);
  s.start(new Signer());
  const identity = await changed;
  s.stop();
  const next = store(saved, "stale token");
  next.start(new Signer());
  next.stop();
  expect(next.current()?.certPem).toBe(identity.certPem);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  writeFileSync(path, '{"spiffeId":"x"}');
  expect(saved.load()).toBeNull();
});
