/** Runs HTTP/2 requests along a path that ends in HTTP/1.1. */
import type { Backend } from "./backends.ts";
import type { DowngradeVariant } from "./corpus/downgrades.ts";
import { TARGET, withNumber } from "./corpus/variant.ts";
import { type Http2Received, sendHttp2 } from "./h2_sender.ts";
import { judgeStreams, passed, type Verdict } from "./judge.ts";
import type { Path } from "./paths.ts";
import { readByAll } from "./run_requests.ts";

export interface DowngradeResult extends Verdict {
  readonly variant: DowngradeVariant;
  readonly number: number;
  readonly streams: readonly Buffer[];
  readonly client: Http2Received;
}

export async function runDowngrades(
  path: Path,
  variants: readonly DowngradeVariant[],
  first: number,
  backends: readonly Backend[],
): Promise<DowngradeResult[]> {
  const results: DowngradeResult[] = [];
  let next = 0;
  await Promise.all(path.lanes.map(async (lane) => {
    for (let at = next++; at < variants.length; at = next++) {
      const variant = variants[at] as DowngradeVariant; // at < length
      const number = first + at;
      lane.recorder.begin(number, null);
      const client = await sendHttp2(lane, variant, number);
      const bytes = await lane.recorder.end();
      const streams = await Promise.all(bytes.map((one) => readByAll(one, backends)));
      const target = withNumber(TARGET, number);
      const probe = withNumber("/p@@@@", number);
      const { arrived, dangers, isUnclean } = judgeStreams(streams, [target, probe]);
      if (client.probe.startsWith("200") && !client.probe.includes(probe)) {
        dangers.push(`the probe is answered ${client.probe}`);
      }
      if (/\/[cp][0-9]{4}/.test(client.variant)) dangers.push(`the request is answered ${client.variant}`);
      const isThere = arrived.some((request) => !request.target.includes(probe));
      const outcome = isThere ? passed(streams, withNumber(variant.mark, number)) : "rejected";
      results[at] = { variant, number, streams: bytes, client, outcome, dangers, isUnclean };
    }
  }));
  return results;
}
