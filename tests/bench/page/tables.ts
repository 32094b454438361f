/** Tables of the page: results of other tools, and every row that was measured. */
import type { Report, Row } from "../rows.ts";
import { MUCH_NOISE } from "../noise.ts";
import { countText, numberText, rateText, timeText } from "./format.ts";
import { type Content, html, type Markup, NOTHING } from "./html.ts";
import type { AttackRow, FaultRow, SuiteRow } from "./inputs.ts";

/** Failures that a suite's line names, and characters of each. */
const MOST_FAILURES = 5;
const MOST_NAME_CHARS = 100;

export function attackTable(rows: readonly AttackRow[]): Markup {
  const amount = (value: number | string) => typeof value === "string" ? value : `${numberText(value)} MB`;
  return table(
    ["attack", "bound", "measured", "others’ p99"],
    rows.map((row) => ({
      isGood: row.ok,
      cells: [row.attack, amount(row.bound), amount(row.measured), timeText(row.othersP99Ms * 1000)],
    })),
  );
}

export function faultTable(rows: readonly FaultRow[]): Markup {
  return table(
    ["fault", "requests", "failed", "retried", "note"],
    rows.map((row) => ({
      isGood: row.ok,
      cells: [row.fault, countText(row.requests), countText(row.failed), countText(row.retried), row.note],
    })),
  );
}

export function suiteTable(rows: readonly SuiteRow[]): Markup {
  return table(
    ["suite", "version", "passed", "failed", "skipped"],
    rows.map((row) => ({
      isGood: row.failed === 0,
      cells: [
        [row.suite, failuresOf(row)],
        row.version,
        countText(row.passed),
        countText(row.failed),
        countText(row.skipped),
      ],
    })),
  );
}

/** Names of the first few failures. */
function failuresOf(row: SuiteRow): Content {
  const names = row.failures.map((failure) => typeof failure === "string" ? failure : JSON.stringify(failure));
  return names.slice(0, MOST_FAILURES).map((name) => html`<small>${name.slice(0, MOST_NAME_CHARS)}</small>`);
}

/** Everything that was measured; rows with failures are red, noisy ones are marked. */
export function rowTable(report: Report): Markup {
  const heads = [
    "case",
    "proxy",
    "rate",
    "CPU µs",
    "p50",
    "p99",
    "p99.9",
    "RSS MB",
    "private MB",
    "busy",
    "noise",
    "failed",
  ];
  return table(heads, report.rows.map((row) => ({ isGood: row.failed === 0, cells: cellsOf(row) })));
}

function cellsOf(row: Row): Content[] {
  const noise = row.others + row.steal;
  const range = row.rounds > 1 && row.cpuUs > 0
    ? html`<small>${numberText(row.spread.cpuUs[0])}–${numberText(row.spread.cpuUs[1])}</small>`
    : null;
  const p99Range = row.rounds > 1 && Number.isFinite(row.p99Us)
    ? html`<small>${timeText(row.spread.p99Us[0])}–${timeText(row.spread.p99Us[1])}</small>`
    : null;
  return [
    row.case,
    row.proxy,
    rateText(row.rate, row.unit),
    [row.cpuUs > 0 ? numberText(row.cpuUs) : "", range],
    timeText(row.p50Us),
    [timeText(row.p99Us), p99Range],
    timeText(row.p999Us),
    row.rssMb > 0 ? numberText(row.rssMb) : "",
    row.anonMb > 0 ? numberText(row.anonMb) : "",
    row.cpuUs > 0 ? `${Math.round(row.busy * 100)} %` : "",
    noise >= MUCH_NOISE ? html`<mark>${numberText(noise)}</mark>` : numberText(noise),
    countText(row.failed),
  ];
}

interface Line {
  readonly isGood: boolean;
  /** The first is the head of the line. */
  readonly cells: readonly Content[];
}

function table(heads: readonly string[], lines: readonly Line[]): Markup {
  if (lines.length === 0) return NOTHING;
  const body = lines.map(({ isGood, cells: [first = null, ...rest] }) =>
    html`<tr class="${isGood ? "good" : "bad"}"><th scope="row">${first}</th>${
      rest.map((cell) => html`<td>${cell}</td>`)
    }</tr>`
  );
  return html`
    <div class="scroll">
      <table>
        <thead>
          <tr>${heads.map((head) => html`<th>${head}</th>`)}</tr>
        </thead>
        <tbody>${body}</tbody>
      </table>
    </div>
  `;
}
