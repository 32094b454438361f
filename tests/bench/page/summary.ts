/** Where Tulle stands: figures on top, a table of ratios by case and peer, and what it is behind in. */
import type { Case } from "../cases.ts";
import { MUCH_NOISE } from "../noise.ts";
import type { Report, Row } from "../rows.ts";
import { countText, numberText, ratioText } from "./format.ts";
import { type Bound, boundsOf, compare, type Comparison, geometricMean, METRIC_NAMES } from "./goals.ts";
import { type Content, html, type Markup, NOTHING } from "./html.ts";

/** Peers in the order of the table's columns; others follow. */
const COLUMNS = ["haproxy", "nghttpx", "nginx", "envoy", "haproxy-h1", "envoy-h1"];
/** Cases listed as being behind. */
const MOST_BEHIND = 12;

export interface Summary {
  readonly comparisons: readonly Comparison[];
  readonly bounds: readonly Bound[];
  readonly failedRows: readonly Row[];
  /** Share of rows with much noise. */
  readonly noisy: number;
}

export function summaryOf(report: Report, cases: readonly Case[]): Summary {
  const measured = report.rows.filter((row) => row.proxy !== "direct");
  const noisy = measured.filter((row) => row.others + row.steal >= MUCH_NOISE).length;
  return {
    comparisons: cases.flatMap((item) => compare(item, report.rows)),
    bounds: boundsOf(report.rows),
    failedRows: report.rows.filter((row) => row.failed > 0),
    noisy: measured.length === 0 ? 0 : noisy / measured.length,
  };
}

/** The figures on top. */
export function cards(summary: Summary): Markup {
  const { comparisons, bounds, failedRows } = summary;
  const met = comparisons.filter((each) => each.verdict === "met").length;
  const close = comparisons.filter((each) => each.verdict === "close").length;
  const boundsMet = bounds.filter((each) => each.isMet).length;
  const means = peersOf(comparisons).filter((peer) => !/-(h1|w2)$/.test(peer)).map((peer): Content => {
    const ratios = comparisons.filter((each) => each.peer === peer && each.metric === "cpuUs").map((each) =>
      each.ratio
    );
    const mean = geometricMean(ratios);
    return Number.isFinite(mean)
      ? card(ratioText(mean), `${peer}’s CPU, mean of ${ratios.length} cases`, mean <= 1 ? "met" : "missed")
      : null;
  });
  return html`<div class="cards">${
    comparisons.length === 0 ? null : card(
      `${met} of ${comparisons.length}`,
      `comparisons meet their goal${close === 0 ? "" : `, ${close} more within the spread`}`,
      met === comparisons.length ? "met" : met + close === comparisons.length ? "close" : "missed",
    )
  }${
    bounds.length === 0 ? null : card(
      `${boundsMet} of ${bounds.length}`,
      "bounds on memory and start hold",
      boundsMet === bounds.length ? "met" : "missed",
    )
  }${
    card(
      countText(failedRows.reduce((sum, row) => sum + row.failed, 0)),
      "failed requests, all proxies",
      failedRows.length === 0 ? "met" : "missed",
    )
  }${means}</div>`;
}

/** Ratios of the deciding figure by case and peer, with that of the 99th percentile below it. */
export function ratioTable(cases: readonly Case[], comparisons: readonly Comparison[]): Markup {
  const used = comparisons.filter((each) => !each.peer.endsWith("-w2"));
  const peers = peersOf(used);
  const lines = cases.flatMap((item): Content[] => {
    const own = used.filter((each) => each.case === item.name);
    const [first] = own;
    if (first === undefined) return [];
    const cells = peers.map((peer) => cellOf(own.find((each) => each.peer === peer)));
    return [
      html`<tr><th scope="row">${item.name}<small>${item.about}</small></th><td class="metric">${
        METRIC_NAMES[first.metric]
      }</td>${cells}</tr>`,
    ];
  });
  if (lines.length === 0) return NOTHING;
  return html`
    <div class="scroll">
      <table>
        <thead>
          <tr><th>case</th><th>decides</th>${peers.map((peer) => html`<th class="p-${peer}">${peer}</th>`)}</tr>
        </thead>
        <tbody>${lines}</tbody>
      </table>
    </div>
  `;
}

/** What Tulle misses, the worst case first. */
export function behind(summary: Summary): Markup {
  const missed = summary.comparisons.filter((each) => each.verdict === "missed")
    .toSorted((a, b) => b.ratio / b.goal - a.ratio / a.goal);
  const names = [...new Set(missed.map((each) => each.case))];
  const items: Content[] = names.slice(0, MOST_BEHIND).map((name) => {
    const own = missed.filter((each) => each.case === name);
    const ratios = own.map((each) => `${ratioText(each.ratio)} ${each.peer}`).join(", ");
    const [first] = own;
    return html`<li><b>${name}</b>: ${first === undefined ? "" : METRIC_NAMES[first.metric]} ${ratios}</li>`;
  });
  const bounds: Content[] = summary.bounds.filter((each) => !each.isMet).map((each) =>
    html`<li><b>${each.name}</b>: ${numberText(each.value)} ${each.unit} (bound ${each.bound} ${each.unit})</li>`
  );
  const failed: Content[] = summary.failedRows.slice(0, MOST_BEHIND).map((row) =>
    html`<li class="missed"><b>${row.case}</b>: ${row.proxy} failed ${countText(row.failed)} times</li>`
  );
  const more = names.length > MOST_BEHIND ? html`<li>and ${names.length - MOST_BEHIND} more cases</li>` : null;
  if (items.length + bounds.length + failed.length === 0) {
    return html`<p>Nothing: every goal that was measured is met.</p>`;
  }
  return html`<ul>${items}${more}${bounds}${failed}</ul>`;
}

function cellOf(found: Comparison | undefined): Markup {
  if (found === undefined) return html`<td></td>`;
  const isP99 = found.metric === "p99Us";
  const below = isP99 || !Number.isFinite(found.p99Ratio)
    ? null
    : html`<small>p99 ${ratioText(found.p99Ratio)}</small>`;
  return html`<td class="${found.verdict}">${ratioText(found.ratio)}${below}</td>`;
}

function card(figure: string, text: string, verdict: string): Markup {
  return html`<div class="card ${verdict}"><b>${figure}</b><span>${text}</span></div>`;
}

function peersOf(comparisons: readonly Comparison[]): string[] {
  const found = new Set(comparisons.map((each) => each.peer));
  return [...COLUMNS.filter((peer) => found.has(peer)), ...[...found].filter((peer) => !COLUMNS.includes(peer))];
}
