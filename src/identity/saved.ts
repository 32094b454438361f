/**
 * Keeps the identity in the proxy's state directory, so that a proxy that was restarted serves while the controller is
 * away. The directory belongs to the proxy alone: a memory-backed emptyDir in Kubernetes, so the key leaves neither
 * the pod nor memory. File mode 0600.
 */
import { makeFolder, readText, replaceFile } from "../os/files.ts";
import { buildIdentity, type Identity } from "./identity.ts";
import { fromPem } from "./pem.ts";
import type { SavedIdentity } from "./store.ts";

/** Until an identity that could not be written is tried again: a disk that is full stays so for a while. */
const AGAIN_MS = 2000;
/** Larger files were not written by us. */
const MAX_FILE_BYTES = 1 << 20;

/** What the file holds, as JSON. */
interface Contents {
  readonly spiffeId: string;
  readonly key: string;
  readonly chain: string;
  readonly roots: string;
  readonly trustVersion: number;
}

/**
 * @param path the file; its directory is made when it is not there
 * @param onError told when it cannot be written; it is tried again until it can
 */
export function savedIdentity(path: string, onError: (error: unknown) => void): SavedIdentity {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isFailing = false;
  const write = (identity: Identity) => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    try {
      save(path, identity);
      isFailing = false;
    } catch (error) {
      if (!isFailing) onError(error);
      isFailing = true;
      timer = setTimeout(() => write(identity), AGAIN_MS);
    }
  };
  return { load: () => load(path), save: write };
}

function save(path: string, identity: Identity): void {
  const contents: Contents = {
    spiffeId: identity.spiffeId,
    key: identity.keyPem,
    chain: identity.certPem,
    roots: identity.caPem,
    trustVersion: identity.trustVersion,
  };
  makeFolder(path.slice(0, path.lastIndexOf("/")));
  replaceFile(path, JSON.stringify(contents));
}

/** @returns null when there is none, or none that is whole */
function load(path: string): Identity | null {
  let contents: Partial<Record<keyof Contents, unknown>>;
  try {
    contents = JSON.parse(readText(path, MAX_FILE_BYTES));
  } catch {
    return null;
  }
  const { spiffeId, key, chain, roots, trustVersion } = contents ?? {};
  if (typeof spiffeId !== "string" || typeof key !== "string" || typeof chain !== "string") return null;
  if (typeof roots !== "string" || typeof trustVersion !== "number") return null;
  const bundle = { trustDomain: "", roots: fromPem("CERTIFICATE", roots), version: trustVersion };
  const reply = { chain: fromPem("CERTIFICATE", chain), spiffeId, notBeforeMs: 0, notAfterMs: 0, bundle };
  const identity = buildIdentity({ keyPem: key, publicKey: null, reply }, 1);
  return identity.ok ? identity.value : null;
}
