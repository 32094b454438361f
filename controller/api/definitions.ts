/**
 * Tells list-watches of kinds that the cluster does not know yet when it has learned of them: the Gateway API is often
 * defined after the mesh is installed, and what is made of its kinds right then is to be in force at once.
 */
import type { KubeClient, KubeObject } from "./client.ts";
import { ListWatch } from "./list_watch.ts";
import { type ResourceType, TYPES } from "./resource_type.ts";

export class Definitions {
  readonly #watch: ListWatch;
  /** By name of the definition, such as "httproutes.gateway.networking.k8s.io". */
  readonly #told = new Map<string, (() => void)[]>();

  constructor(client: KubeClient, random: () => number) {
    const changed = ({ metadata }: KubeObject) => {
      for (const tell of this.#told.get(metadata.name ?? "") ?? []) tell();
    };
    this.#watch = new ListWatch({
      client,
      type: TYPES.CustomResourceDefinition,
      namespace: null,
      metadataOnly: true, // the schemas of a cluster can be many megabytes
      random,
      listener: {
        onListStart: () => {},
        onPage: (objects) => objects.forEach(changed),
        onListEnd: () => {},
        onChange: changed,
        onRemove: () => {},
        onTrouble: () => {}, // whoever waits asks from time to time all the same
      },
    });
  }

  start(): void {
    this.#watch.start();
  }

  close(): void {
    this.#watch.close();
  }

  /** Calls back whenever the definition of a type is made or changes: it may not be served yet. */
  tell(type: ResourceType, changed: () => void): void {
    const name = `${type.plural}.${type.group}`;
    this.#told.set(name, [...this.#told.get(name) ?? [], changed]);
  }
}
