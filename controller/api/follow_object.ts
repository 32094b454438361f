/** Follows one object by its name. */
import type { KubeClient, KubeObject } from "./client.ts";
import { ListWatch } from "./list_watch.ts";
import type { ResourceType } from "./resource_type.ts";

export interface FollowedObject {
  readonly client: KubeClient;
  readonly type: ResourceType;
  /** null: of the cluster. */
  readonly namespace: string | null;
  readonly name: string;
  /** Called with the object as it is now, at first and after each change; null: there is none. */
  readonly take: (object: KubeObject | null) => void;
  readonly random: () => number;
}

/** @returns the watch, which is to be started; an API server that is away is not told: the watches of the kinds tell */
export function followObject({ name, take, ...options }: FollowedObject): ListWatch {
  return new ListWatch({
    ...options,
    query: { fieldSelector: `metadata.name=${name}` },
    listener: {
      onList: ([object]) => take(object ?? null),
      onChange: take,
      onRemove: () => take(null),
      onTrouble: () => {},
    },
  });
}
