/** The plots of a report: one figure per case, several beside each other. */
import type { Case } from "../cases.ts";
import { SHARES } from "../load/result.ts";
import type { Row } from "../rows.ts";
import { numberText, rateText, tickText, timeText } from "./format.ts";
import { boundsOf } from "./goals.ts";
import { type Content, html, type Markup, NOTHING } from "./html.ts";
import { type Bar, barPlot, legend, type Line, linearAxis, linePlot, logAxis, percentileAxis } from "./plots.ts";
import type { Soak } from "./inputs.ts";

/** Colours for what is no known proxy, k0 and so on in the style. */
const COLORS = 6;

/** CPU per unit of work, by proxy; a pair's two sides behind each other, with the range of the rounds. */
export function cpuFigure(item: Case, rows: readonly Row[]): Markup {
  const unit = item.unit === "GB/s" ? "µs per MB" : `µs per ${item.unit.replace(/s?\/s$/, "")}`;
  const bars = own(item, rows).filter((row) => row.cpuUs > 0).map((row): Bar => ({
    proxy: row.proxy,
    parts: item.shape === "hop" ? [row.cpuUs] : [row.cpuUsA, row.cpuUsB],
    text: numberText(row.cpuUs),
    range: row.rounds > 1 ? row.spread.cpuUs : null,
    title: `${row.proxy}: ${numberText(row.cpuUs)} ${unit}, ${rateText(row.rate, row.unit)}, busy ${
      Math.round(row.busy * 100)
    } %, p99 ${timeText(row.p99Us)}`,
  }));
  return figure(item, barPlot(bars), unit);
}

/** Latencies from p50 to p99.9, by proxy. */
export function latencyFigure(item: Case, rows: readonly Row[]): Markup {
  const measured = own(item, rows, true).filter((row) => row.curveUs.length === SHARES.length);
  const lines = measured.map((row): Line => ({
    proxy: row.proxy,
    points: row.curveUs.map((us, at) => [SHARES[at] ?? 0, us]),
    dashed: row.proxy === "direct",
  }));
  const plot = linePlot(
    lines,
    percentileAxis(),
    logAxis(lines.flatMap((line) => line.points.map(([, us]) => us)), "latency", tickText),
  );
  const rate = measured[0] === undefined ? "" : rateText(measured[0].rate, measured[0].unit);
  return figure(item, plot, rate, legend(measured.map((row) => [row.proxy, `p99 ${timeText(row.p99Us)}`])));
}

/** Latency of a single client, by proxy. */
export function soloFigure(item: Case, rows: readonly Row[]): Markup {
  const bars = own(item, rows, true).map((row): Bar => ({
    proxy: row.proxy,
    parts: [row.p50Us],
    text: timeText(row.p50Us),
    range: row.rounds > 1 ? row.spread.p50Us : null,
    title: `${row.proxy}: p50 ${timeText(row.p50Us)}, p99 ${timeText(row.p99Us)}`,
  }));
  return figure(item, barPlot(bars), "p50");
}

/** How much was done in a second, by proxy. */
export function rateFigure(item: Case, rows: readonly Row[]): Markup {
  const bars = own(item, rows).map((row): Bar => ({
    proxy: row.proxy,
    parts: [row.rate],
    text: numberText(row.rate),
    range: row.rounds > 1 ? row.spread.rate : null,
    title: `${row.proxy}: ${rateText(row.rate, row.unit)}, busy ${Math.round(row.busy * 100)} %`,
  }));
  return figure(item, barPlot(bars), item.unit);
}

/** Memory of one proxy: the private part, and before the lighter part what is shared with others or could be read again. */
export function memoryFigure(item: Case, rows: readonly Row[]): Markup {
  const bars = own(item, rows).filter((row) => row.rssMb > 0).map((row): Bar => ({
    proxy: row.proxy,
    parts: [row.anonMb, Math.max(0, row.rssMb - row.anonMb)],
    text: `${numberText(row.anonMb)} / ${numberText(row.rssMb)}`,
    range: null,
    title: `${row.proxy}: ${numberText(row.anonMb)} MB private, ${numberText(row.rssMb)} MB resident`,
  }));
  const [bound] = boundsOf(rows.filter((row) => row.case === item.name)).filter((each) => each.name.startsWith("RSS"));
  const mark = bound === undefined ? null : { value: bound.bound, text: `goal ${bound.bound} MB` };
  return figure(item, barPlot(bars, mark), "MB private / resident");
}

/** Time from exec until it serves, by proxy. */
export function readyFigure(item: Case, rows: readonly Row[]): Markup {
  const bars = own(item, rows).map((row): Bar => ({
    proxy: row.proxy,
    parts: [row.p50Us / 1000],
    text: `${numberText(row.p50Us / 1000)} ms`,
    range: [row.spread.p50Us[0] / 1000, row.spread.p50Us[1] / 1000],
    title: `${row.proxy}: ${timeText(row.p50Us)}, of ${row.rounds} starts`,
  }));
  const [bound] = boundsOf(rows.filter((row) => row.case === item.name));
  return figure(
    item,
    barPlot(bars, bound === undefined ? null : { value: bound.bound, text: `goal ${bound.bound} ms` }),
    "ms",
  );
}

/** Memory over the time of the soak: resident, and private dashed. */
export function soakFigure(soak: Soak): Markup {
  const proxies = [...new Set(soak.samples.map((sample) => sample.proxy))];
  const colorOf = (proxy: string) => `k${proxies.indexOf(proxy) % COLORS}`;
  const lineOf = (proxy: string, read: (sample: Soak["samples"][number]) => number, dashed: boolean): Line => ({
    proxy,
    color: colorOf(proxy),
    points: soak.samples.filter((sample) => sample.proxy === proxy).map((sample) => [sample.t / 60, read(sample)]),
    dashed,
  });
  const lines = proxies.flatMap((proxy) => [
    lineOf(proxy, (sample) => sample.rssMb, false),
    lineOf(proxy, (sample) => sample.anonMb, true),
  ]);
  const all = lines.flatMap((line) => line.points);
  const plot = linePlot(
    lines,
    linearAxis(all.map(([minutes]) => minutes), "minutes", String),
    linearAxis(all.map(([, mb]) => mb), "MB", String),
  );
  const slopes = proxies.map((proxy): [string, string, string] => {
    const slope = soak.slopeMbPerHour[proxy];
    return [proxy, slope === undefined ? "" : `${slope >= 0 ? "+" : ""}${numberText(slope)} MB/h`, colorOf(proxy)];
  });
  if (plot === NOTHING) return NOTHING;
  return html`<figure><figcaption><b>Soak</b><span>resident; private dashed, MB</span></figcaption>${plot}${
    legend(slopes)
  }</figure>`;
}

/** Figures beside each other; nothing when all are empty. */
export function grid(figures: readonly Markup[]): Markup {
  const filled = figures.filter((each) => each !== NOTHING);
  return filled.length === 0 ? NOTHING : html`<div class="grid">${filled}</div>`;
}

function own(item: Case, rows: readonly Row[], withDirect = false): Row[] {
  return rows.filter((row) => row.case === item.name && (withDirect || row.proxy !== "direct"));
}

function figure(item: Case, plot: Markup, unit: string, below: Content = null): Markup {
  if (plot === NOTHING) return NOTHING;
  return html`<figure><figcaption><b>${item.name}</b><span>${unit}</span><small>${item.about}</small></figcaption>${plot}${below}</figure>`;
}
