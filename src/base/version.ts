/** What this build is. */

/** Version of the product; the same as `version` in deno.json (a test compares them). */
export const VERSION = "0.1.0";

/** Commit the binary was compiled from; the compiler puts it here. "source" when it runs from the tree. */
export const COMMIT: string = typeof TULLE_COMMIT === "string" ? TULLE_COMMIT : "source";

declare const TULLE_COMMIT: string | undefined;
