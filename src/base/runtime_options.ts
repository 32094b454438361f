/**
 * Environment for the runtime itself, which whoever starts a proxy gives it beside its own: the runtime reads it before the
 * first line of ours, and has no other way to be told.
 */
export const RUNTIME_OPTIONS: Readonly<Record<string, string>> = {
  // From 1 MB of heap on it would keep 32 further blocks of it ready: half a megabyte that an idle proxy never uses.
  BUN_JSC_useWarmUpMarkedBlocks: "0",
};
