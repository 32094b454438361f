/**
 * Tells mistakes where their author looks: `kubectl describe` shows an Event of each object that cannot be read, or does not fit
 * the rest.
 */
import { createHash } from "node:crypto";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { writeEvent } from "../api/event.ts";
import { type ResourceType, TYPES, typeVersions } from "../api/resource_type.ts";
import type { ConfigWarning } from "../index/world.ts";
import type { Problem } from "../kube/problem.ts";
import { EventTeller } from "./event_teller.ts";

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
  for (const { object, detail } of warnings) {
    // Annotations are ours on whatever they stand.
    if (!isOthers(object) || detail.startsWith("annotation ")) note(object, detail, false);
  }
  return [...found].map(([object, { isRefused, texts }]) => ({ object, isRefused, text: texts.join("; ") }));
}

/** Tells them, as long as it runs. */
export function mistakeEvents({ client, mistakes, isWriter, onTrouble, now }: MistakeOptions): EventTeller<Mistake> {
  return new EventTeller({
    find: mistakes,
    keyOf: ({ object, text }) => `${object}\n${text}`,
    tell: (mistake) => tell(client, mistake, now()),
    isWriter,
    onTrouble: ({ object }, detail) => onTrouble(object, detail),
    now,
  });
}

async function tell(client: KubeClient, { object, isRefused, text }: Mistake, nowMs: number): Promise<void> {
  const { kind, namespace, name } = placeOf(object);
  const type = (TYPES as Readonly<Record<string, ResourceType>>)[kind]; // by kind, as it is written
  let found: KubeObject | null = null;
  for (const version of type === undefined ? [] : typeVersions(type)) {
    found ??= await client.find(version, namespace, name);
  }
  if (found === null) return;
  const about = {
    apiVersion: found.apiVersion ?? "",
    kind,
    namespace: namespace ?? "",
    name,
    uid: found.metadata.uid ?? "",
  };
  const message = (isRefused ? `Refused; what was in force stays: ${text}` : text).slice(0, MAX_MESSAGE);
  const reason = isRefused ? "Refused" : "Mistake";
  const serial = createHash("sha256").update(message).digest("hex").slice(0, 8);
  await writeEvent(client, about, { type: "Warning", reason, message, component: "tulle", serial }, nowMs);
}

function isOthers(object: string): boolean {
  return OTHERS_KINDS.has(placeOf(object).kind) || !object.includes(" ");
}

/** "Kind namespace/name" or "Kind name". */
function placeOf(object: string): { readonly kind: string; readonly namespace: string | null; readonly name: string } {
  const [kind = "", path = ""] = object.split(" ");
  const slash = path.indexOf("/");
  return slash < 0
    ? { kind, namespace: null, name: path }
    : { kind, namespace: path.slice(0, slash), name: path.slice(slash + 1) };
}
