/** Runs request variants along a path. */
import type { Backend } from "./backends.ts";
import { readBy } from "./backends.ts";
import type { RequestVariant } from "./corpus/variant.ts";
import { judge, type Stream, type Verdict } from "./judge.ts";
import type { Path } from "./paths.ts";
import { readRequests, valuesOf } from "./reference.ts";
import { type Received, send } from "./sender.ts";

export interface Result extends Verdict {
  readonly variant: RequestVariant;
  readonly number: number;
  /** What reached the application, connection by connection. */
  readonly streams: readonly Buffer[];
  readonly client: Received;
}

/** @param first number of the first variant, so that the variants of several paths differ */
export async function runRequests(
  path: Path,
  variants: readonly RequestVariant[],
  first: number,
  backends: readonly Backend[],
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  await Promise.all(path.lanes.map(async ({ route, recorder }) => {
    for (let at = next++; at < variants.length; at = next++) {
      const variant = variants[at] as RequestVariant; // at < length
      const number = first + at;
      recorder.begin(number, variant.answer ?? null);
      const client = await send(route, variant.bytes, number);
      const bytes = await recorder.end();
      const streams = await Promise.all(bytes.map((one) => readByAll(one, backends)));
      results[at] = { variant, number, streams: bytes, client, ...judge(variant, number, streams, client) };
    }
  }));
  return results;
}

/** What the back ends make of the bytes of one connection. */
export async function readByAll(bytes: Buffer, backends: readonly Backend[]): Promise<Stream> {
  if (bytes.length === 0) return { bytes, isWhole: true, readings: [] };
  const { messages, rest } = readRequests(bytes);
  // Behind an upgrade a connection is not used for requests again, and some servers read no more of them.
  const isWhole = rest === "" && !messages.some((message) => valuesOf(message, "upgrade").length > 0);
  const readings = await Promise.all(
    backends.map(async (backend) => ({ backend: backend.name, reading: await readBy(backend, bytes, isWhole) })),
  );
  return { bytes, isWhole, readings };
}
