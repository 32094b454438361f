/** Who watches which answer, so that a change costs as much as it touches and not as much as there are proxies. */
import type { DirectoryChange, DirectorySource } from "../core/directory.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import type { Target } from "../core/target.ts";

export type Answer = OutboundTarget | InboundWorkload;

/** One resource of one proxy. */
export interface Watcher {
  /** What was asked; null for inbound. */
  readonly target: Target | null;
  /** The answer that was read may not be the one in force. Must not read another at once. */
  onTouched(): void;
}

export class Audience {
  readonly #watchers = new Map<Answer, Set<Watcher>>();
  /** Those without an answer of the directory's own: the workload is gone, or the target is unknown. */
  readonly #unanswered = new Set<Watcher>();
  readonly #unsubscribe: () => void;

  constructor(source: DirectorySource) {
    this.#unsubscribe = source.onChange((change) => this.#tell(change));
  }

  /** Number of resources that are watched. */
  get size(): number {
    let size = this.#unanswered.size;
    for (const watchers of this.#watchers.values()) size += watchers.size;
    return size;
  }

  /** The watcher has another answer. @param before null when it had none */
  move(watcher: Watcher, before: Answer | null, after: Answer | null): void {
    if (before === after && before !== null) return;
    this.leave(watcher, before);
    if (isUnanswered(after)) {
      this.#unanswered.add(watcher);
      return;
    }
    const watchers = this.#watchers.get(after);
    if (watchers === undefined) this.#watchers.set(after, new Set([watcher]));
    else watchers.add(watcher);
  }

  leave(watcher: Watcher, answer: Answer | null): void {
    if (isUnanswered(answer)) {
      this.#unanswered.delete(watcher);
      return;
    }
    const watchers = this.#watchers.get(answer);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(answer);
  }

  close(): void {
    this.#unsubscribe();
  }

  #tell({ isAll, answers, addresses }: DirectoryChange): void {
    for (const watcher of this.#unanswered) {
      const { target } = watcher;
      if (isAll || target === null || (target.kind === "address" && addresses.has(target.ip))) watcher.onTouched();
    }
    if (isAll) {
      for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.onTouched();
      return;
    }
    for (const answer of answers) for (const watcher of this.#watchers.get(answer) ?? []) watcher.onTouched();
  }
}

/** What is unknown is made anew for each question. */
function isUnanswered(answer: Answer | null): answer is null {
  return answer === null || ("known" in answer && !answer.known);
}
