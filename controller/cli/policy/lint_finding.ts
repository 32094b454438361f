/** A finding of `tulle policy lint`, and what its checks need to make one. */

export type LintRule = "dangling" | "unused" | "shadowed" | "too_broad" | "contradicting" | "mistyped";

export interface LintFinding {
  /** Errors: somebody meant something that does not hold. */
  readonly severity: "error" | "warning";
  readonly rule: LintRule;
  /** "AuthorizationPolicy shop/front" */
  readonly object: string;
  /** "file:line", "" where it comes from no file. */
  readonly place: string;
  readonly detail: string;
  /** What to do. */
  readonly fix: string;
}

/** Takes a finding; its place is looked up. @param object as `keyOf` names it */
export type Say = (
  severity: LintFinding["severity"],
  rule: LintRule,
  object: string,
  detail: string,
  fix: string,
) => void;
