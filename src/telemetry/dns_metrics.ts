/** `tulle_dns_*`: questions that pass the sidecar, and what it remembers of their answers. */
import type { Registry } from "./registry.ts";

export class DnsMetrics {
  readonly #registry: Registry;
  readonly #handles = new Map<string, number>();

  /** @param table what is remembered now */
  constructor(registry: Registry, table: { readonly names: number; readonly size: number }) {
    this.#registry = registry;
    for (const [name, help] of COUNTERS) registry.counter(name, help);
    const gauge = (name: string, help: string) => registry.open(registry.gauge(name, help), []);
    const names = gauge("tulle_dns_pinned_names", "Names whose addresses are remembered.");
    const addresses = gauge("tulle_dns_pinned_addresses", "Addresses that are remembered, of all names.");
    registry.onCollect(() => {
      registry.set(names, table.names);
      registry.set(addresses, table.size);
    });
  }

  onQuery(transport: string): void {
    this.#count("tulle_dns_queries_total", transport, "");
  }

  onAnswer(transport: string): void {
    this.#count("tulle_dns_answers_total", transport, "");
  }

  onFailure(transport: string, reason: string): void {
    this.#count("tulle_dns_failures_total", transport, reason);
  }

  #count(name: string, transport: string, reason: string): void {
    const key = `${name} ${transport} ${reason}`;
    let handle = this.#handles.get(key);
    if (handle === undefined) {
      const labels: [string, string][] = [
        ["transport", transport],
        ...reason === "" ? [] : [["reason", reason] as [string, string]],
      ];
      handle = this.#registry.open(this.#registry.family(name), labels);
      this.#handles.set(key, handle);
    }
    this.#registry.add(handle, 1);
  }
}

const COUNTERS: readonly (readonly [string, string])[] = [
  ["tulle_dns_queries_total", "Questions of the workload's programs that were passed to its nameserver."],
  ["tulle_dns_answers_total", "Answers that were passed back."],
  [
    "tulle_dns_failures_total",
    "Questions without an answer, and what was not believed or could not be read, by reason.",
  ],
];
