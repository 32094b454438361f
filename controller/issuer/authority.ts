/** The certificate authority: tokens in, leaves out, and the bundle that everybody verifies against. */
import type { Authority, Bundle, IssuedLeaf, Refusal, TokenSource } from "../core/issuing.ts";
import { BACKDATE_MS, KEY_ALGORITHM, randomSerial, x509 } from "./_x509.ts";
import { checkCsr } from "./csr.ts";
import type { Issuer } from "./issuer.ts";
import { keyId, signLeaf } from "./leaf.ts";
import { NO_TOKENS } from "./tokens.ts";

/** DNS name in every leaf: clients whose TLS checks names natively use it as server name, and the SPIFFE ID decides. */
const MESH_DNS_NAME = "mesh.tulle.dev";

export interface AuthorityOptions {
  readonly trustDomain: string;
  readonly leafLifetimeMs: number;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** A key with its certificate, for our own servers. */
export interface KeyedCertificate {
  readonly keyPem: string;
  /** Leaf first. */
  readonly certificatePem: string;
  readonly notAfterMs: number;
}

export class CertificateAuthority implements Authority {
  /** Judges tokens; replaced when they change. */
  tokens: TokenSource = NO_TOKENS;
  readonly #options: AuthorityOptions;
  readonly #listeners = new Set<() => void>();
  #issuer: Issuer;
  /** Of what signs, as leaves name it: DER, and the identifier of its key. */
  #issuerName: Uint8Array = new Uint8Array();
  #issuerKeyId: Uint8Array = new Uint8Array();
  #bundle: Bundle;
  #bundlePem = "";

  constructor(options: AuthorityOptions, issuer: Issuer, furtherRoots: readonly x509.X509Certificate[]) {
    this.#options = options;
    this.#issuer = issuer;
    this.#bundle = { trustDomain: options.trustDomain, roots: [], version: 0 };
    this.use(issuer, furtherRoots);
  }

  get bundle(): Bundle {
    return this.#bundle;
  }

  /** The bundle as PEM: what our own server verifies clients against. The issuer's own root comes first. */
  get bundlePem(): string {
    return this.#bundlePem;
  }

  /** Certificate of what signs now. */
  get issuer(): x509.X509Certificate {
    return this.#issuer.certificate;
  }

  onBundle(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Signs with another issuer, or trusts other roots beside its own, from now on; tells the listeners when the bundle changed. */
  use(issuer: Issuer, furtherRoots: readonly x509.X509Certificate[]): void {
    this.#issuer = issuer;
    this.#issuerName = new Uint8Array(issuer.certificate.subjectName.toArrayBuffer());
    this.#issuerKeyId = keyIdOf(issuer.certificate);
    const ownPem = issuer.root.toString("pem");
    const others = new Map(furtherRoots.map((root) => [root.toString("pem"), root]));
    others.delete(ownPem);
    const roots = [issuer.root, ...others.values()];
    const pem = roots.map((root) => root.toString("pem") + "\n").join("");
    if (pem === this.#bundlePem) return;
    this.#bundlePem = pem;
    const { trustDomain, now } = this.#options;
    // The clock makes it grow over restarts too.
    const version = Math.max(this.#bundle.version + 1, now());
    this.#bundle = { trustDomain, roots: roots.map((root) => new Uint8Array(root.rawData)), version };
    for (const listener of this.#listeners) listener();
  }

  async certify(token: string, csr: Uint8Array): Promise<IssuedLeaf | Refusal> {
    const subject = await this.tokens.check(token);
    if ("code" in subject) return subject;
    const spiffeId = `spiffe://${this.#options.trustDomain}/ns/${subject.namespace}/sa/${subject.serviceAccount}`;
    const checked = await checkCsr(csr, spiffeId);
    if (!(checked instanceof x509.PublicKey)) return checked;
    return await this.#sign(checked, spiffeId, `${subject.serviceAccount}.${subject.namespace}`, [MESH_DNS_NAME]);
  }

  /**
   * A new key and certificate for the controller itself.
   * @param dnsNames further names, for servers whose clients check them
   */
  async certifySelf(dnsNames: readonly string[] = []): Promise<KeyedCertificate> {
    const pair = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
    const spiffeId = `spiffe://${this.#options.trustDomain}/ns/tulle/sa/controller`;
    const publicKey = await x509.PublicKey.create(pair.publicKey);
    const leaf = await this.#sign(publicKey, spiffeId, "controller.tulle", [MESH_DNS_NAME, ...dnsNames]);
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
    return {
      keyPem: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
      certificatePem: leaf.chain.map((der) => x509.PemConverter.encode(Uint8Array.from(der), "CERTIFICATE")).join("\n"),
      notAfterMs: leaf.notAfterMs,
    };
  }

  async #sign(
    publicKey: x509.PublicKey,
    spiffeId: string,
    commonName: string,
    dnsNames: readonly string[],
  ): Promise<IssuedLeaf> {
    const { certificate: issuer, key, chain } = this.#issuer;
    const now = this.#options.now();
    // X.509 counts in seconds: both ends are what the certificate will say.
    const notBeforeMs = Math.floor((now - BACKDATE_MS) / 1000) * 1000;
    const notAfterMs = Math.ceil(Math.min(now + this.#options.leafLifetimeMs, issuer.notAfter.getTime()) / 1000) * 1000;
    const leaf = await signLeaf({
      serial: randomSerial(),
      issuerName: this.#issuerName,
      issuerKeyId: this.#issuerKeyId,
      notBeforeMs,
      notAfterMs,
      commonName,
      uri: spiffeId,
      dnsNames,
      publicKey: new Uint8Array(publicKey.rawData),
    }, key);
    const above = chain.map((certificate) => new Uint8Array(certificate.rawData));
    return { chain: [leaf, ...above], spiffeId, notBeforeMs, notAfterMs };
  }
}

/**
 * The issuer's key as its own certificate names it (RFC 5280 §4.2.1.1): verifiers refuse another name, and not everybody takes
 * SHA-1 of the key as we do; Go's programs, such as cert-manager and Vault, take SHA-256.
 */
function keyIdOf(issuer: x509.X509Certificate): Uint8Array {
  const own = issuer.getExtension(x509.SubjectKeyIdentifierExtension);
  return own === null ? keyId(new Uint8Array(issuer.publicKey.rawData)) : Buffer.from(own.keyId, "hex");
}
