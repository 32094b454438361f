/** One mark per identity, so that header blocks recognise the edit they remember. */
import { ClientMark } from "../exchange/header_edits.ts";

/** Identities remembered; a mesh has hundreds, and forgetting costs one edit of a block. */
const MAX_MARKS = 4096;

export class ClientMarks {
  readonly #marks = new Map<string, ClientMark>();

  /** The mark of an identity; "" for a client without one. */
  get(id: string): ClientMark {
    let mark = this.#marks.get(id);
    if (mark === undefined) {
      if (this.#marks.size >= MAX_MARKS) this.#marks.clear();
      mark = new ClientMark(id);
      this.#marks.set(id, mark);
    }
    return mark;
  }
}
