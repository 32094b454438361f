/** Follows a cluster: objects into the store, tokens by review; says in log and metrics what became of it. */
import type { KubeClient } from "./api/client.ts";
import type { Definitions } from "./api/definitions.ts";
import { TokenReviews } from "./issuer/token_review.ts";
import { ClusterSource } from "./kube/cluster_source.ts";
import type { Problem } from "./kube/problem.ts";
import type { Feed, FeedTargets } from "./_config_feed.ts";

export class ClusterFeed implements Feed {
  readonly #targets: FeedTargets;
  readonly #source: ClusterSource;
  #logged = new Set<string>();

  constructor(client: KubeClient, definitions: Definitions, targets: FeedTargets) {
    this.#targets = targets;
    targets.authority.tokens = new TokenReviews(client);
    this.#source = new ClusterSource({
      client,
      definitions,
      store: targets.store,
      random: Math.random,
      onProblems: (problems) => this.#tell(problems),
    });
    this.#register();
  }

  /** Waits for the API server as long as it takes: until then nobody is told half of the truth. */
  async start(): Promise<void> {
    this.#source.start();
    const waiting = setInterval(() => {
      for (const { kind, trouble } of this.#source.status()) {
        if (trouble !== "") this.#targets.log.warn("waiting for the API server", { kind, trouble });
      }
    }, 5000);
    await this.#source.synced;
    clearInterval(waiting);
  }

  close(): void {
    this.#source.close();
  }

  /** What is wrong with objects by themselves. */
  problems(): readonly Problem[] {
    return this.#source.sink.allProblems();
  }

  status() {
    return {
      watches: this.#source.status(),
      errors: this.#source.sink.problems("error"),
      objectWarnings: this.#source.sink.problems("warning"),
    };
  }

  /** Logs problems that are new, and those that are gone. */
  #tell(problems: readonly string[]): void {
    const { log } = this.#targets;
    const now = new Set(problems);
    for (const problem of now) {
      if (!this.#logged.has(problem)) {
        log.warn("an object has a problem; what of it cannot be read is not in force", { problem });
      }
    }
    for (const problem of this.#logged) if (!now.has(problem)) log.info("a problem of an object is gone", { problem });
    this.#logged = now;
  }

  #register(): void {
    const { registry, store } = this.#targets;
    const problems = registry.gauge("config_problems", "Errors and warnings in the configuration, by severity.");
    const objects = registry.gauge("config_objects", "Objects in force.");
    const lists = registry.gauge("watch_lists", "Times that a kind was listed anew, by kind.");
    const troubled = registry.gauge("watch_troubled", "1 while a kind cannot be followed, by kind.");
    registry.collect(() => {
      problems.set(this.#source.sink.problems("error").length, { severity: "error" });
      problems.set(this.#source.sink.problems("warning").length, { severity: "warning" });
      objects.set(store.size);
      for (const status of this.#source.status()) {
        lists.set(status.lists, { kind: status.kind });
        troubled.set(status.trouble === "" ? 0 : 1, { kind: status.kind });
      }
    });
  }
}
