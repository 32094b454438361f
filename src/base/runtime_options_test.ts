import { expect, test } from "bun:test";
import { RUNTIME_OPTIONS } from "./runtime_options.ts";

test("RUNTIME_OPTIONS are options that the runtime knows, with other values than its own", () => {
  const env = { ...process.env, ...RUNTIME_OPTIONS, BUN_JSC_dumpOptions: "1" }; // prints what differs from the default
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", "0"], { env });
  const printed = stdout.toString() + stderr.toString();
  for (const name of Object.keys(RUNTIME_OPTIONS)) expect(printed).toContain(`${name.replace("BUN_JSC_", "")}=`);
});
