/** The issuer of standalone mode, kept in the state folder: made once, used ever after. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../src/base/error.ts";
import { type AuthorityOptions, CertificateAuthority } from "./authority.ts";
import { createRoot, type Issuer, readIssuer, readRoots } from "./issuer.ts";

const KEY_FILE = "ca-key.pem";
const CERTIFICATE_FILE = "ca-cert.pem";
/** Roots that are trusted beside our own, while one takes the place of the other. */
const OLD_ROOTS_FILE = "old-roots.pem";
const BUNDLE_FILE = "trust-bundle.pem";

export class FolderIssuer {
  readonly authority: CertificateAuthority;
  readonly #stateDir: string;
  readonly #issuer: Issuer;
  #written = "";

  private constructor(stateDir: string, options: AuthorityOptions, issuer: Issuer) {
    this.#stateDir = stateDir;
    this.#issuer = issuer;
    this.authority = new CertificateAuthority(options, issuer, []);
  }

  /** Loads or makes the root and writes the bundle. @throws Error that names file and remedy when the folder cannot be used */
  static async open(stateDir: string, options: AuthorityOptions): Promise<FolderIssuer> {
    const folder = new FolderIssuer(stateDir, options, await loadOrCreate(stateDir, options));
    folder.reload();
    return folder;
  }

  /**
   * Reads the further roots again, and writes the bundle when it changed.
   * @throws Error when old-roots.pem cannot be used; the bundle stays as it was
   */
  reload(): void {
    const file = join(this.#stateDir, OLD_ROOTS_FILE);
    const further = existsSync(file) ? readRoots(readFileSync(file, "utf8"), file) : [];
    this.authority.use(this.#issuer, further);
    const pem = this.authority.bundlePem;
    if (pem === this.#written) return;
    writeAtomically(join(this.#stateDir, BUNDLE_FILE), pem, 0o644);
    this.#written = pem;
  }
}

async function loadOrCreate(stateDir: string, { trustDomain, now }: AuthorityOptions): Promise<Issuer> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const keyFile = join(stateDir, KEY_FILE);
  const certificateFile = join(stateDir, CERTIFICATE_FILE);
  const hasKey = existsSync(keyFile);
  if (hasKey !== existsSync(certificateFile)) {
    const [there, missing] = hasKey ? [keyFile, certificateFile] : [certificateFile, keyFile];
    throw new Error(
      `bad_state: found ${there} without ${missing}: put it back, or remove both to start with a new root (every proxy then needs the new trust bundle)`,
    );
  }
  if (!hasKey) {
    const made = await createRoot(trustDomain, now());
    // The key first: a certificate without its key is the worse half to be left with.
    writeAtomically(keyFile, made.keyPem, 0o600);
    writeAtomically(certificateFile, made.certificatePem, 0o644);
  }
  if ((statSync(keyFile).mode & 0o077) !== 0) chmodSync(keyFile, 0o600); // others could read the key of all identities
  try {
    const keyPem = readFileSync(keyFile, "utf8");
    const certificatePem = readFileSync(certificateFile, "utf8");
    return await readIssuer({ keyPem, certificatePem, rootPem: "" }, now());
  } catch (error) {
    throw new Error(`bad_state: cannot use ${keyFile} and ${certificateFile}: ${errorText(error)}`);
  }
}

/** Writes a file so that whoever reads it sees the old content or the new one, also after a crash. */
function writeAtomically(file: string, content: string, mode: number): void {
  const temporary = `${file}.${process.pid}.tmp`;
  if (existsSync(temporary)) unlinkSync(temporary);
  const fd = openSync(temporary, "wx", mode);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
}
