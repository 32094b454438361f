/**
 * Regular expressions in the configuration. They are compiled as the proxies compile them, so that none is taken here that a
 * proxy would refuse, and with it everything else that is said about the same target.
 */
import { compilePattern } from "../../src/base/pattern.ts";

/** @returns what is wrong and wanted, or null when the expression may be used */
export function checkRegex(source: string): string | null {
  const pattern = compilePattern(source, "");
  return pattern.ok ? null : pattern.error.replace(/^: /, "");
}
