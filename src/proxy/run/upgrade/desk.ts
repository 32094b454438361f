/** Takes requests to upgrade, from admin and from SIGUSR2, and answers them. */
import type { UpgradeAnswer, UpgradeAsked } from "../../../admin/admin.ts";
import { Proof } from "./proof.ts";
import { Upgrade, type UpgradeOptions } from "./upgrade.ts";

export class UpgradeDesk {
  readonly upgrade: Upgrade;
  readonly #proof = new Proof();
  /** Why none can be had now, "" when one can. */
  readonly #refusal: () => string;

  constructor(options: UpgradeOptions, refusal: () => string) {
    this.upgrade = new Upgrade(options);
    this.#refusal = refusal;
  }

  async ask({ binary, timeoutMs, proof }: UpgradeAsked): Promise<UpgradeAnswer> {
    if (binary !== null && (proof === null || !this.#proof.accepts(proof))) {
      return {
        status: 401,
        body: { reason: "another program needs a proof: see the file", proof: this.#proof.challenge() },
      };
    }
    const refusal = this.#refusal();
    if (refusal !== "") return { status: 409, body: { ok: false, code: "busy", reason: refusal } };
    const outcome = await this.upgrade.start({ binary, timeoutMs });
    return { status: outcome.ok ? 200 : outcome.code === "busy" ? 409 : 502, body: { ...outcome } };
  }
}
