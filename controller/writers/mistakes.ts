/**
 * Tells mistakes where their author looks: `kubectl describe` shows an Event of each object that cannot be read, or does not fit
 * the rest. Written once per text while the mistake lasts and again after an hour, since the cluster forgets events then.
 */
import { createHash } from "node:crypto";
import { errorText } from "../../src/base/error.ts";
import type { KubeClient } from "../api/client.ts";
import { writeEvent } from "../api/event.ts";
import { apiVersion, type ResourceType, TYPES } from "../api/resource_type.ts";
import type { ConfigWarning } from "../index/world.ts";
import type { Problem } from "../kube/problem.ts";

const LOOK_MS = 5_000;
/** Events of one look; the next one goes on. */
const EVENTS_PER_LOOK = 20;
const REMINDER_MS = 3_600_000;
/** Longest message of an Event, as the API server takes it. */
const MAX_MESSAGE = 1024;
/** Where a newer Kubernetes may say things that are not known here, and a Service that waits for its pods is no mistake. */
const OTHERS_KINDS = new Set(["Pod", "Service", "EndpointSlice", "Namespace", "ServiceAccount"]);

/** Something that is wrong with an object. */
export interface Mistake {
  /** "HTTPRoute shop/split" */
  readonly object: string;
  /** Refused: none of it is in force, or what was before. Otherwise the rest of it is. */
  readonly isRefused: boolean;
  readonly text: string;
}

export interface MistakeOptions {
  readonly client: KubeClient;
  readonly mistakes: () => readonly Mistake[];
  readonly isWriter: () => boolean;
  readonly onTrouble: (object: string, detail: string) => void;
  /** Wall clock. */
  readonly now: () => number;
}

/** One mistake per object: what cannot be read first, then what leads nowhere. */
export function mistakesOf(problems: readonly Problem[], warnings: readonly ConfigWarning[]): Mistake[] {
  const found = new Map<string, { isRefused: boolean; readonly texts: string[] }>();
  const note = (object: string, text: string, isRefused: boolean) => {
    const known = found.get(object);
    if (known === undefined) found.set(object, { isRefused, texts: [text] });
    else {
      known.isRefused ||= isRefused;
      known.texts.push(text);
    }
  };
  for (const { object, path, detail, severity } of problems) {
    if (severity === "warning" && isOthers(object) && !path.includes("tulle.dev/")) continue;
    note(object, path === "" ? detail : `${path}: ${detail}`, severity === "error");
  }
  for (const { object, detail } of warnings) if (!isOthers(object)) note(object, detail, false);
  return [...found].map(([object, { isRefused, texts }]) => ({ object, isRefused, text: texts.join("; ") }));
}

export class MistakeEvents {
  readonly #options: MistakeOptions;
  /** When each was told, by object and text. */
  readonly #told = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #running = false;

  constructor(options: MistakeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** One look; those that were told are passed over. */
  async look(): Promise<void> {
    const { mistakes, isWriter, now } = this.#options;
    if (this.#running || !isWriter()) return;
    this.#running = true;
    const all = mistakes();
    const keys = new Set(all.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    const untold = all.filter((mistake) => now() - (this.#told.get(keyOf(mistake)) ?? -Infinity) >= REMINDER_MS);
    for (const mistake of untold.slice(0, EVENTS_PER_LOOK)) await this.#tell(mistake);
    this.#running = false;
  }

  async #tell(mistake: Mistake): Promise<void> {
    const { client, onTrouble, now } = this.#options;
    const { object, isRefused, text } = mistake;
    const place = placeOf(object);
    try {
      const { kind, namespace, name } = place;
      const type = (TYPES as Readonly<Record<string, ResourceType>>)[kind]; // by kind, as it is written
      const found = type === undefined ? null : await client.find(type, namespace, name);
      if (type !== undefined && found !== null) {
        const about = {
          apiVersion: apiVersion(type),
          kind,
          namespace: namespace ?? "",
          name,
          uid: found.metadata.uid ?? "",
        };
        const message = (isRefused ? `Refused; what was in force stays: ${text}` : text).slice(0, MAX_MESSAGE);
        const reason = isRefused ? "Refused" : "Mistake";
        const serial = createHash("sha256").update(message).digest("hex").slice(0, 8);
        await writeEvent(client, about, { type: "Warning", reason, message, component: "tulle", serial }, now());
      }
      this.#told.set(keyOf(mistake), now());
    } catch (error) {
      onTrouble(object, errorText(error));
    }
  }
}

function isOthers(object: string): boolean {
  return OTHERS_KINDS.has(placeOf(object).kind) || !object.includes(" ");
}

function keyOf({ object, text }: Mistake): string {
  return `${object}\n${text}`;
}

/** "Kind namespace/name" or "Kind name". */
function placeOf(object: string): { readonly kind: string; readonly namespace: string | null; readonly name: string } {
  const [kind = "", path = ""] = object.split(" ");
  const slash = path.indexOf("/");
  return slash < 0
    ? { kind, namespace: null, name: path }
    : { kind, namespace: path.slice(0, slash), name: path.slice(slash + 1) };
}
