/**
 * Whoever names a program that this proxy is to run must show that it may look into this process anyway: it reads a
 * number from a file that only this user, or root, finds under /proc. The address it calls from proves less: all
 * containers of a pod have the same loopback.
 */
import { timingSafeEqual } from "node:crypto";
import { fileInMemory } from "../../../os/process.ts";

export class Proof {
  #open: { readonly secret: string; readonly path: string; close(): void } | null = null;

  /** Path of the file to read; null where there can be none. */
  challenge(): string | null {
    if (this.#open === null) {
      const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
      const file = fileInMemory(secret);
      if (file === null) return null;
      this.#open = { secret, path: file.path, close: () => file.close() };
    }
    return this.#open.path;
  }

  /** Whether it is what the file says. The file is gone afterwards: the next one needs another. */
  accepts(proof: string): boolean {
    const known = this.#open;
    if (known === null || known.secret.length !== proof.length) return false;
    if (!timingSafeEqual(Buffer.from(known.secret), Buffer.from(proof))) return false;
    known.close();
    this.#open = null;
    return true;
  }
}
