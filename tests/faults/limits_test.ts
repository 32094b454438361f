/** See limits.ts; those that need a host of their own are among networks.ts. */
import { testFaults } from "./fault.ts";
import { limits } from "./limits.ts";

testFaults(limits);
