/** See clocks.ts; `deno task faults` runs the full sizes. */
import { clocks } from "./clocks.ts";
import { testFaults } from "./fault.ts";

testFaults(clocks);
