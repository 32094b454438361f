/** The certificate authority of standalone mode: tokens in, leaves out, and the bundle everybody verifies against. */
import { join } from "node:path";
import type { Authority, Bundle, IssuedLeaf, Refusal, TokenSource } from "../core/issuing.ts";
import { BACKDATE_MS, KEY_ALGORITHM, randomSerial, SIGNING_ALGORITHM, x509 } from "./_x509.ts";
import { checkCsr } from "./csr.ts";
import { BUNDLE_FILE, loadOrCreateRoot, OLD_ROOTS_FILE, readRoots, type Root, writeAtomically } from "./root.ts";
import { NO_TOKENS } from "./tokens.ts";

/** DNS name in every leaf: clients whose TLS checks names natively use it as server name, and the SPIFFE ID decides. */
export const MESH_DNS_NAME = "mesh.tulle.dev";

export interface AuthorityOptions {
  readonly stateDir: string;
  readonly trustDomain: string;
  readonly leafLifetimeMs: number;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** A key with its certificate, for our own server. */
export interface KeyedCertificate {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly notAfterMs: number;
}

export class LocalAuthority implements Authority {
  /** Tokens that are valid now; replaced when their file changes. */
  tokens: TokenSource = NO_TOKENS;
  readonly #options: AuthorityOptions;
  readonly #root: Root;
  readonly #listeners = new Set<() => void>();
  #bundle: Bundle;
  #bundlePem = "";

  private constructor(options: AuthorityOptions, root: Root) {
    this.#options = options;
    this.#root = root;
    this.#bundle = { trustDomain: options.trustDomain, roots: [], version: 0 };
  }

  /** Loads or makes the root and writes the bundle. @throws Error when the state folder cannot be used */
  static async open(options: AuthorityOptions): Promise<LocalAuthority> {
    const authority = new LocalAuthority(
      options,
      await loadOrCreateRoot(options.stateDir, options.trustDomain, options.now()),
    );
    authority.reloadBundle();
    return authority;
  }

  get bundle(): Bundle {
    return this.#bundle;
  }

  /** The bundle as PEM: what our own server verifies clients against. */
  get bundlePem(): string {
    return this.#bundlePem;
  }

  onBundle(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Reads the further roots again; when the bundle changed, writes it and tells the listeners.
   * @throws Error when old-roots.pem cannot be used; the bundle stays as it was
   */
  reloadBundle(): void {
    const { stateDir, trustDomain, now } = this.#options;
    const own = this.#root.certificate;
    const ownPem = own.toString("pem");
    const others = readRoots(join(stateDir, OLD_ROOTS_FILE)).filter((root) => root.toString("pem") !== ownPem);
    const roots = [own, ...others];
    const pem = roots.map((root) => root.toString("pem") + "\n").join("");
    if (pem === this.#bundlePem) return;
    writeAtomically(join(stateDir, BUNDLE_FILE), pem, 0o644);
    this.#bundlePem = pem;
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
    return await this.#sign(checked, spiffeId, `${subject.serviceAccount}.${subject.namespace}`);
  }

  /** A new key and certificate for the controller itself. */
  async certifySelf(): Promise<KeyedCertificate> {
    const pair = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
    const spiffeId = `spiffe://${this.#options.trustDomain}/ns/tulle/sa/controller`;
    const leaf = await this.#sign(await x509.PublicKey.create(pair.publicKey), spiffeId, "controller.tulle");
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
    return {
      keyPem: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
      certificatePem: leaf.chain.map((der) => x509.PemConverter.encode(Uint8Array.from(der), "CERTIFICATE")).join("\n"),
      notAfterMs: leaf.notAfterMs,
    };
  }

  async #sign(publicKey: x509.PublicKey, spiffeId: string, commonName: string): Promise<IssuedLeaf> {
    const { certificate: issuer, key } = this.#root;
    const now = this.#options.now();
    // X.509 counts in seconds: both ends are what the certificate will say.
    const notBeforeMs = Math.floor((now - BACKDATE_MS) / 1000) * 1000;
    const notAfterMs = Math.ceil(Math.min(now + this.#options.leafLifetimeMs, issuer.notAfter.getTime()) / 1000) * 1000;
    const { ExtendedKeyUsage, KeyUsageFlags } = x509;
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: [{ CN: [commonName.slice(0, 64)] }], // ub-common-name, RFC 5280 appendix A
      issuer: issuer.subjectName.toJSON(),
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notAfterMs),
      publicKey,
      signingKey: key,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: "url", value: spiffeId },
          { type: "dns", value: MESH_DNS_NAME },
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
    return { chain: [new Uint8Array(leaf.rawData)], spiffeId, notBeforeMs, notAfterMs };
  }
}
