/** See endpoints.ts; `deno task faults` runs the full sizes. */
import { endpoints } from "./endpoints.ts";
import { testFaults } from "./fault.ts";

testFaults(endpoints);
