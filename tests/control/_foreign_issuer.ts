/** Issuers as others make them, cert-manager above all: roots and intermediates, with keys in SEC 1. */
import { createPrivateKey } from "node:crypto";
import { x509 } from "../../controller/issuer/_x509.ts";
import type { KubeApi } from "../support/kube_api.ts";
import { TYPES } from "../../controller/api/resource_type.ts";
import { ISSUER_SECRET, MESH_NAMESPACE } from "../../controller/core/cluster_names.ts";

const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const DAY_MS = 24 * 3_600_000;

export interface ForeignCa {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

/** A certificate authority of that name, self-signed or below another. */
export async function foreignCa(name: string, parent: ForeignCa | null): Promise<ForeignCa> {
  const keys = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: crypto.randomUUID().replaceAll("-", ""),
    subject: `CN=${name}`,
    issuer: parent?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 90 * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: (parent?.keys ?? keys).privateKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  return { certificate, keys };
}

/** Writes the issuer's Secret. @param root what goes into ca.crt */
export async function writeIssuer(api: KubeApi, issuer: ForeignCa, root: ForeignCa, key = issuer): Promise<void> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key.keys.privateKey));
  const keyPem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({ type: "sec1", format: "pem" });
  const text = (value: string) => Buffer.from(value).toString("base64");
  const data = {
    "tls.key": text(keyPem.toString()),
    "tls.crt": text(issuer.certificate.toString("pem")),
    "ca.crt": text(root.certificate.toString("pem")),
  };
  const metadata = { namespace: MESH_NAMESPACE, name: ISSUER_SECRET };
  await api.client.apply(TYPES.Secret, { metadata, type: "kubernetes.io/tls", data }, "cert-manager");
}
