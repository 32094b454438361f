/** `tulle_gc_collections_total`, `tulle_heap_bytes`: what the garbage collector does in this thread. */
import { heapSize } from "bun:jsc";
import type { Registry } from "./registry.ts";

/** Registers them; in a proxy of several threads each thread does, and a scrape shows their sum. */
export function registerHeapMetrics(registry: Registry): void {
  const collections = registry.open(
    registry.counter("tulle_gc_collections_total", "Garbage collections, all threads."),
    [],
  );
  const bytes = registry.open(
    registry.gauge("tulle_heap_bytes", "JavaScript heap right after the last garbage collection, all threads."),
    [],
  );
  const watch = new CollectionWatch();
  registry.onCollect(() => {
    registry.set(collections, watch.count);
    registry.set(bytes, watch.heapBytes);
  });
}

/**
 * Counts collections. The runtime tells nobody when it collects, but it calls back when a registered object is gone: with one
 * object at a time that is after each collection, and costs nothing in between. Of two collections without a turn of the event
 * loop between them one is not seen.
 */
class CollectionWatch {
  count = 0;
  /** Size of the heap after the last collection; 0 before the first. */
  heapBytes = 0;
  readonly #registry = new FinalizationRegistry<null>(() => this.#onCollected());

  constructor() {
    this.#registry.register(new Canary(), null);
  }

  #onCollected(): void {
    this.count++;
    this.heapBytes = heapSize();
    this.#registry.register(new Canary(), null);
  }
}

/** Dies at the next collection. */
class Canary {}
