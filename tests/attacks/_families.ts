/** All attacks, by family. */
import type { Attack } from "./_attack.ts";
import { ADMIN } from "./admin.ts";
import { CONNECTIONS } from "./connections.ts";
import { CONTROL_FLOODS } from "./control_floods.ts";
import { CONTROLLER } from "./controller.ts";
import { FLOW_CONTROL } from "./flow_control.ts";
import { HEADER_FLOODS } from "./header_floods.ts";
import { RESETS } from "./resets.ts";
import { SLOWLORIS } from "./slowloris.ts";
import { SMALL_PIECES } from "./small_pieces.ts";
import { TLS } from "./tls.ts";
import { TRANSPORT_HEADER } from "./transport_header.ts";
import { TUNNELS } from "./tunnels.ts";
import { UPSTREAM } from "./upstream.ts";

/** Each attack at one of its places only, in turn: what a short run does. */
export function onePlaceEach(families: Families): Families {
  let turn = 0;
  return Object.fromEntries(
    Object.entries(families).map(([family, attacks]) => {
      const byName = Map.groupBy(attacks, (attack) => attack.name);
      return [family, [...byName.values()].map((same) => same[turn++ % same.length] as Attack)]; // groups are not empty
    }),
  );
}

export type Families = Readonly<Record<string, readonly Attack[]>>;

export const FAMILIES: Families = {
  resets: RESETS,
  header_floods: HEADER_FLOODS,
  control_floods: CONTROL_FLOODS,
  flow_control: FLOW_CONTROL,
  slowloris: SLOWLORIS,
  small_pieces: SMALL_PIECES,
  tls: TLS,
  connections: CONNECTIONS,
  transport_header: TRANSPORT_HEADER,
  tunnels: TUNNELS,
  upstream: UPSTREAM,
  admin: ADMIN,
  controller: CONTROLLER,
};
