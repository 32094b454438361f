/** All attacks, by family. */
import type { Attack } from "./_attack.ts";
import { CONTROL_FLOODS } from "./control_floods.ts";
import { FLOW_CONTROL } from "./flow_control.ts";
import { RESETS } from "./resets.ts";

export const FAMILIES: Readonly<Record<string, readonly Attack[]>> = {
  resets: RESETS,
  control_floods: CONTROL_FLOODS,
  flow_control: FLOW_CONTROL,
};
