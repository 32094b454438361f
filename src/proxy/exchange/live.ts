/** What is alive in the proxy: being in the set keeps the drain waiting. */
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { openSockets } from "../../net/open_sockets.ts";
import { partOfMemory } from "../../net/threads.ts";
import { type Failure, unsent } from "../upstream/failure.ts";

/** Accepted connections, of applications and of clients together, beyond which new ones are refused (`overloaded`). */
export const MAX_CONNECTIONS = 16_384;

/** Something that can be asked to finish. */
export interface Drainable extends Linked<Drainable> {
  /**
   * Takes no new work, lets what runs finish, then ends by itself.
   *
   * @param patient an idle connection ends after its next request, which may be on its way, and not at once
   */
  shutdown(patient: boolean): void;
  /** Ends what the policy in force does not permit; absent where no policy decides. */
  rejudge?(): void;
}

export class Live {
  readonly #all = new LinkedList<Drainable>();
  readonly #most = partOfMemory(MAX_CONNECTIONS);
  /** Accepted, but not yet known to be welcome. */
  #arriving = 0;
  #onEmpty: (() => void) | null = null;

  /** All were asked to finish; later ones should as well. */
  get isDraining(): boolean {
    return this.#onEmpty !== null;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#all.size;
  }

  /** Sockets that there are, and those at which no further connection is taken: each of them is a descriptor. */
  get sockets(): number {
    return openSockets.count;
  }

  get mostSockets(): number {
    return openSockets.mostAccepted;
  }

  /** Why a connection that was accepted as this descriptor may not be taken; null when it may. */
  refusal(fd: number): Failure | null {
    const lack = openSockets.noRoomFor(fd);
    if (lack !== null) return unsent("no_descriptors", lack);
    if (this.#all.size < this.#most) return null;
    return unsent("overloaded", `this proxy has ${this.#all.size} connections, as many as it takes`);
  }

  add(item: Drainable): void {
    this.#all.add(item);
  }

  delete(item: Drainable): void {
    this.#all.delete(item);
    this.#look();
  }

  /** A connection is being made: the end waits for what becomes of it. */
  arrive(): void {
    this.#arriving++;
  }

  /** It was turned away, or has been added. */
  arrived(): void {
    this.#arriving--;
    this.#look();
  }

  /** The policy has changed. */
  rejudge(): void {
    for (const item of this.#all.toArray()) item.rejudge?.();
  }

  /** Goes on after all: what was asked to finish does so, later ones stay. */
  stay(): void {
    this.#onEmpty = null;
  }

  /** Asks all to finish; calls back when the last one has. @param patient see Drainable */
  drain(onEmpty: () => void, patient = false): void {
    this.#onEmpty = onEmpty;
    for (const item of this.#all.toArray()) item.shutdown(patient);
    this.#look();
  }

  #look(): void {
    if (this.#all.size === 0 && this.#arriving === 0) this.#onEmpty?.();
  }
}
