/** How often each thread looks for idle targets, and the main one for idle memory. */
export const SWEEP_MS = 30_000;
