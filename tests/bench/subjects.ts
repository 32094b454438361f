/** Starts the proxies that the selected cases need; what is not there is left out with a line that says so. */
import type { Shape } from "./cases.ts";
import { envoyHop, envoyPair } from "./peers/envoy.ts";
import { haproxyHop, haproxyPair } from "./peers/haproxy.ts";
import { nghttpxHop, nghttpxPair } from "./peers/nghttpx.ts";
import { nginxHop, nginxPair } from "./peers/nginx.ts";
import { tulleHop, tullePair } from "./peers/tulle.ts";
import { programName, programOf } from "./programs.ts";
import type { Rig, Subject, Variant } from "./rig.ts";

/** Null: the program cannot do that. */
type Start = (program: string, rig: Rig, variant: Variant) => Promise<Subject | null>;

const STARTS: Readonly<Record<string, Readonly<Record<Shape, Start>>>> = {
  tulle: { hop: tulleHop, pair: tullePair },
  haproxy: { hop: haproxyHop, pair: haproxyPair },
  nghttpx: { hop: nghttpxHop, pair: nghttpxPair },
  nginx: { hop: nginxHop, pair: nginxPair },
  envoy: { hop: envoyHop, pair: envoyPair },
};

/** What a name asks for: "haproxy-h1" is HAProxy with HTTP/1.1 between a pair, "haproxy-w2" HAProxy with two workers. */
export function variantOf(proxy: string): Variant {
  return { proxy, threads: proxy.endsWith("-w2") ? 2 : 1, between: proxy.endsWith("-h1") ? "h1" : "h2" };
}

/** The subjects of one shape, in the order asked for. Whoever calls owns them. */
export async function startSubjects(
  rig: Rig,
  shape: Shape,
  proxies: readonly string[],
  quick: boolean,
): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const name of proxies) {
    const start = STARTS[programName(name)]?.[shape];
    if (start === undefined) continue; // direct
    const found = programOf(name, quick, rig.say);
    if ("reason" in found) {
      rig.say(`skip ${name}: ${found.reason}`);
      continue;
    }
    try {
      const subject = await start(found.program, rig, variantOf(name));
      if (subject === null) rig.say(`skip ${name} as a ${shape}: it has no such mode yet`);
      else subjects.push(subject);
    } catch (cause) {
      rig.say(`skip ${name} as a ${shape}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  return subjects;
}

/** The backends themselves, as the base that all are compared with. */
export function directSubject(rig: Rig): Subject {
  return {
    proxy: "direct",
    shape: "direct",
    target: (protocol) => ({ host: rig.backendHost, port: rig.backends[protocol], tls: false }),
    sides: () => ({ a: [], b: [] }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
