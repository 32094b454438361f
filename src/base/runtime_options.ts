/**
 * Environment for the runtime itself, which whoever starts a proxy gives it beside its own: the runtime reads it before the
 * first line of ours, and has no other way to be told.
 */
export const RUNTIME_OPTIONS: Readonly<Record<string, string>> = {
  // From 1 MB of heap on it would keep 32 further blocks of it ready: half a megabyte that an idle proxy never uses.
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  // Full collections come when what outlived young ones is as much as what they may allocate, not twice that: half the saw
  // tooth where short connections come and go, and no more collections (see "Memory" of tests/bench/README.md).
  BUN_JSC_minEdenToOldGenerationRatio: "0.5",
};
