/** Starts the proxies that the selected cases need; what is not installed is left out with a line that says so. */
import type { Shape } from "./cases.ts";
import { envoyH1Pair, envoyHop, envoyPair } from "./peers/envoy.ts";
import { haproxyH1Pair, haproxyHop, haproxyPair } from "./peers/haproxy.ts";
import { nghttpxHop, nghttpxPair } from "./peers/nghttpx.ts";
import { nginxHop, nginxPair } from "./peers/nginx.ts";
import { tulleHop, tullePair } from "./peers/tulle.ts";
import { programOf } from "./programs.ts";
import type { Rig, Subject } from "./rig.ts";

type Start = (program: string, rig: Rig) => Promise<Subject | null>;

const STARTS: Readonly<Record<string, Readonly<Record<Shape, Start>>>> = {
  tulle: { hop: tulleHop, pair: tullePair },
  haproxy: { hop: haproxyHop, pair: haproxyPair },
  "haproxy-h1": { hop: () => Promise.resolve(null), pair: haproxyH1Pair },
  nghttpx: { hop: nghttpxHop, pair: nghttpxPair },
  nginx: { hop: nginxHop, pair: nginxPair },
  envoy: { hop: envoyHop, pair: envoyPair },
  "envoy-h1": { hop: () => Promise.resolve(null), pair: envoyH1Pair },
};

/** The subjects of one shape, in the order asked for. Whoever calls owns them. */
export async function startSubjects(
  rig: Rig,
  shape: Shape,
  options: { readonly proxies: readonly string[]; readonly quick: boolean },
  say: (line: string) => void,
): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const name of options.proxies) {
    const start = STARTS[name]?.[shape];
    if (start === undefined) continue;
    const found = programOf(name, options.quick, say);
    if ("reason" in found) {
      say(`skip ${name}: ${found.reason}`);
      continue;
    }
    try {
      const subject = await start(found.program, rig);
      if (subject === null) say(`skip ${name} as a ${shape}: it has no such mode yet`);
      else subjects.push(subject);
    } catch (cause) {
      say(`skip ${name} as a ${shape}: ${cause instanceof Error ? cause.message : String(cause)}`);
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
