/** Connections on the mesh port that have not been admitted yet, and who may have how many: by address, for more is not known. */
import { ChurningMap } from "../../base/churning_map.ts";
import { mayHold } from "../../base/fair_share.ts";
import { partOf } from "../../net/threads.ts";

/**
 * Handshakes at a time: each costs half a millisecond of processor and some 30 KB, so that a flood of them is turned away
 * (without an answer, before the handshake) rather than served late. An address may have as many as are free: who floods
 * leaves half of them to others.
 */
export const MAX_HANDSHAKES = 1024;

export class Handshakes {
  readonly #most = partOf(MAX_HANDSHAKES);
  readonly #byAddress = new ChurningMap<number>();
  #used = 0;

  /** One more begins; false when it must be turned away. */
  enter(ip: string): boolean {
    const held = (this.#byAddress.get(ip) ?? 0) + 1;
    if (!mayHold(held, this.#used + 1, this.#most)) return false;
    this.#byAddress.set(ip, held);
    this.#used++;
    return true;
  }

  /** One is over. */
  leave(ip: string): void {
    const held = (this.#byAddress.get(ip) ?? 0) - 1;
    this.#used--;
    if (held > 0) this.#byAddress.set(ip, held);
    else this.#byAddress.delete(ip);
  }
}
