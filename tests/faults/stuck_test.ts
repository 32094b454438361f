/** See stuck.ts; `deno task faults` runs the full sizes. */
import { stuck } from "./stuck.ts";
import { testFaults } from "./fault.ts";

testFaults(stuck);
