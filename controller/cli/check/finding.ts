/** What a check found, and what to do about it. */
import { ApiError } from "../../api/api_error.ts";

export interface Finding {
  readonly severity: "ok" | "warning" | "error";
  /** Section of the report: "cluster", "control plane", "data plane". */
  readonly section: string;
  /** What was looked at, in a few words. */
  readonly check: string;
  /** What was found; "" when all is well. */
  readonly detail: string;
  /** What to do; "" when there is nothing to do. */
  readonly fix: string;
}

/** Gathers findings of one section. */
export class Section {
  readonly findings: Finding[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  ok(check: string, detail = ""): void {
    this.findings.push({ severity: "ok", section: this.#name, check, detail, fix: "" });
  }

  warn(check: string, detail: string, fix: string): void {
    this.findings.push({ severity: "warning", section: this.#name, check, detail, fix });
  }

  /**
   * Looks at something. What one may not see is a finding like any other: it neither hides what else is wrong nor passes for
   * being well.
   * @param otherwise the result then
   */
  async attempt<T>(check: string, look: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 401 && error.status !== 403)) throw error;
      this.fail(
        check,
        `you may not see it: ${error.message.replace(/^.*?Forbidden: /, "")}`,
        "use a context whose user may read it: kubectl auth can-i --list",
      );
      return otherwise;
    }
  }

  fail(check: string, detail: string, fix: string): void {
    this.findings.push({ severity: "error", section: this.#name, check, detail, fix });
  }
}

/** The report for people. */
export function renderFindings(findings: readonly Finding[]): string {
  const lines: string[] = [];
  let section = "";
  for (const finding of findings) {
    if (finding.section !== section) {
      section = finding.section;
      lines.push(lines.length === 0 ? section : `\n${section}`);
    }
    const mark = { ok: "✓", warning: "!", error: "✗" }[finding.severity];
    lines.push(`  ${mark} ${finding.check}${finding.detail === "" ? "" : `: ${finding.detail}`}`);
    if (finding.fix !== "") lines.push(`      → ${finding.fix}`);
  }
  const count = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).length;
  lines.push("", `${count("ok")} checks passed, ${count("warning")} warnings, ${count("error")} errors`);
  return `${lines.join("\n")}\n`;
}
