/** Runs response variants along a path. */
import type { ClientReading, Clients } from "./clients.ts";
import type { ResponseVariant } from "./corpus/responses.ts";
import { HOST, TARGET, withNumber } from "./corpus/variant.ts";
import { isBroken, misanswered, type Verdict } from "./judge.ts";
import type { Path } from "./paths.ts";
import { readResponses, type SeenResponse, valuesOf } from "./reference.ts";
import { type Received, send } from "./sender.ts";

export interface ResponseResult extends Verdict {
  readonly variant: ResponseVariant;
  readonly number: number;
  readonly client: Received;
}

export async function runResponses(
  path: Path,
  variants: readonly ResponseVariant[],
  first: number,
  clients: Clients,
): Promise<ResponseResult[]> {
  const results: ResponseResult[] = [];
  let next = 0;
  await Promise.all(path.lanes.map(async ({ route, recorder }) => {
    for (let at = next++; at < variants.length; at = next++) {
      const variant = variants[at] as ResponseVariant; // at < length
      const number = first + at;
      recorder.begin(number, { ...variant.answer, isOnce: false });
      const client = await send(
        route,
        [withNumber(`${variant.method} ${TARGET} HTTP/1.1\r\n${HOST}\r\n`, number)],
        number,
      );
      await recorder.end();
      results[at] = { variant, number, client, ...await judgeResponse(variant, number, client, clients) };
    }
  }));
  return results;
}

async function judgeResponse(
  variant: ResponseVariant,
  number: number,
  client: Received,
  clients: Clients,
): Promise<Verdict> {
  const { messages, rest } = readResponses(client.bytes, [variant.method], client.isClosed);
  const dangers = misanswered(messages, [TARGET, "/p@@@@"].map((one) => withNumber(one, number)));
  const isUnclean = isBroken(rest);
  const first = client.bytes.subarray(0, client.beforeProbe);
  const second = client.bytes.subarray(client.beforeProbe);
  if (client.bytes.length > 0) {
    const isClosedAfterFirst = client.isClosed && second.length === 0;
    const readings = await clients.read({ method: variant.method, first, second, isClosedAfterFirst });
    // Python's client takes every interim response but a 100 for the final one; with or without a mesh.
    const isOddInterim = /^HTTP\/1\.1 1(?!00)/.test(client.bytes.toString("latin1", 0, 12));
    dangers.push(...conflicts(isUnclean ? null : messages.map(describe), readings, isOddInterim ? "http.client" : ""));
  }
  const isThere = messages[0] !== undefined && valuesOf(messages[0], "tulle-error").length === 0 &&
    messages[0].status !== 502;
  const text = client.bytes.toString("latin1").toLowerCase();
  const outcome = !isThere
    ? "rejected"
    : text.includes(withNumber(variant.mark, number).toLowerCase())
    ? "forwarded"
    : "normalised";
  return { outcome, dangers, isUnclean };
}

/** Clients that read other answers than the strictest reading; where that refuses them (null), than each other. */
function conflicts(
  strict: readonly string[] | null,
  readings: ReadonlyMap<string, ClientReading>,
  excused: string,
): string[] {
  const dangers: string[] = [];
  let expected = strict;
  for (const [name, reading] of readings) {
    if (name === excused) continue;
    expected ??= reading.includes("error") ? null : reading;
    const wrong = expected === null ? -1 : reading.findIndex((one, at) => one !== "error" && one !== expected?.[at]);
    if (wrong >= 0) dangers.push(`${name} reads ${reading.join(" and ")}, not ${expected?.join(" and ")}`);
  }
  return dangers;
}

function describe(message: SeenResponse): string {
  return `${message.status} ${valuesOf(message, "x-seen")[0] ?? "-"} ${message.body.length}`;
}
