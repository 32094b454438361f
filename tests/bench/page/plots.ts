/** The plots, as inline SVG of a narrow width, so that they can be read on a phone; several stand beside each other elsewhere. */
import { SHARES } from "../load/result.ts";
import { type Content, html, type Markup, NOTHING } from "./html.ts";
import { linearScale, logScale, type Scale } from "./scale.ts";

/** Width of every plot, in its own units. */
const WIDTH = 360;
const BAR = { label: 88, value: 70, height: 15, gap: 8, top: 4 };

/** A bar of one or two parts that stand behind each other. */
export interface Bar {
  /** Name of the proxy: label and colour. */
  readonly proxy: string;
  readonly parts: readonly number[];
  /** Text at its end. */
  readonly text: string;
  /** Smallest and largest of the rounds, drawn as a line; null: none. */
  readonly range: readonly [number, number] | null;
  /** For the reader who points at it. */
  readonly title: string;
}

/** Horizontal bars; `mark` is a line across all of them with its text (a goal). Empty without bars. */
export function barPlot(bars: readonly Bar[], mark: { value: number; text: string } | null = null): Markup {
  const drawn = bars.filter((bar) => bar.parts.length > 0 && bar.parts.every((part) => Number.isFinite(part)));
  if (drawn.length === 0) return NOTHING;
  const sums = drawn.map((bar) => sum(bar.parts));
  const most = Math.max(...sums, ...drawn.map((bar) => finite(bar.range?.[1])), finite(mark?.value));
  const scale = linearScale(most, BAR.label, WIDTH - BAR.value);
  const bottom = BAR.top + drawn.length * (BAR.height + BAR.gap);
  const height = bottom + (mark === null ? 0 : 14);
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${drawn.map(ariaOf).join(", ")}">${
    drawn.map((bar, at) => barOf(bar, BAR.top + at * (BAR.height + BAR.gap), scale))
  }${mark === null ? null : markOf(mark, scale, bottom)}</svg>`;
}

function barOf(bar: Bar, y: number, scale: Scale): Markup {
  const middle = y + BAR.height / 2;
  let start = 0;
  const parts = bar.parts.map((part, at) => {
    const x = scale.at(start);
    start += part;
    const opacity = at === 0 ? 1 : 0.55;
    return html`
      <rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(0.5, scale.at(start) - x))}" height="${BAR
        .height}" opacity="${opacity}" />
    `;
  });
  const end = Math.max(scale.at(start), bar.range === null ? 0 : scale.at(bar.range[1]));
  return html`
    <g
      class="p-${bar.proxy}"><title>${bar.title}</title><text class="label" x="${BAR.label - 6}" y="${px(
        middle + 4,
      )}" text-anchor="end">${bar.proxy}</text>${parts}${bar.range === null
        ? null
        : rangeOf(scale.at(bar.range[0]), scale.at(bar.range[1]), middle)}<text class="value" x="${px(
          end + 6,
        )}" y="${px(middle + 4)}">${bar.text}</text></g>
  `;
}

function rangeOf(from: number, to: number, y: number): Markup {
  const d = `M${px(from)} ${px(y - 3)}v6m0 -3H${px(to)}m0 -3v6`;
  return html`
    <path class="range" d="${d}" />
  `;
}

function markOf(mark: { value: number; text: string }, scale: Scale, bottom: number): Markup {
  const x = px(scale.at(mark.value));
  return html`
    <g class="mark">
      <path d="M${x} 0V${bottom}" />
      <text x="${x}" y="${bottom + 11}" text-anchor="middle">${mark.text}</text>
    </g>
  `;
}

/** A line of values over the axis of a plot. */
export interface Line {
  readonly proxy: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
  /** Class of its colour; default: the proxy's. */
  readonly color?: string;
}

export interface Axis {
  readonly scale: (from: number, to: number) => Scale;
  readonly text: (value: number) => string;
  readonly name: string;
}

const FRAME = { left: 48, right: 20, top: 8, bottom: 34, height: 210 };

/** Lines over two axes. Empty without two points in any line. */
export function linePlot(lines: readonly Line[], x: Axis, y: Axis): Markup {
  const drawn = lines.map((line) => ({ ...line, points: line.points.filter((point) => point.every(Number.isFinite)) }))
    .filter((line) => line.points.length > 1);
  if (drawn.length === 0) return NOTHING;
  const floor = FRAME.height - FRAME.bottom;
  const across = x.scale(FRAME.left, WIDTH - FRAME.right);
  const up = y.scale(floor, FRAME.top);
  const grid = up.ticks.map((tick) => {
    const at = px(up.at(tick));
    return html`
      <path class="grid" d="M${FRAME.left} ${at}H${WIDTH - FRAME.right}" />
      <text class="tick" x="${FRAME.left - 5}" y="${px(up.at(tick) + 3.5)}" text-anchor="end">${y.text(tick)}</text>
    `;
  });
  const feet = across.ticks.map((tick) =>
    html`<text class="tick" x="${px(across.at(tick))}" y="${floor + 14}" text-anchor="middle">${x.text(tick)}</text>`
  );
  const paths = drawn.map((line) => {
    const d = line.points.map(([a, b], at) => `${at === 0 ? "M" : "L"}${px(across.at(a))} ${px(up.at(b))}`).join("");
    return html`
      <path class="line ${line.color ?? `p-${line.proxy}`}${line.dashed === true ? " dashed" : ""}" d="${d}">
        <title>${line.proxy}</title>
      </path>
    `;
  });
  return html`
    <svg viewBox="0 0 ${WIDTH} ${FRAME.height}" role="img"
      aria-label="${y.name} over ${x.name}: ${drawn.map((line) => line.proxy).join(
        ", ",
      )}">${grid}${feet}<text class="tick" x="${WIDTH - FRAME.right}" y="${FRAME.height - 4}" text-anchor="end">${x
        .name}</text>${paths}</svg>
  `;
}

/** Percentiles spread out by how rare they are: p50, p90, p99 and p99.9 at equal distances or so. */
export function percentileAxis(): Axis {
  const place = (share: number) => -Math.log10(1 - share);
  const ends = [SHARES[0] ?? 0.5, SHARES.at(-1) ?? 0.999].map(place) as [number, number];
  return {
    name: "percentile",
    text: (share) => `p${Number((share * 100).toFixed(1))}`,
    scale: (from, to) => ({
      at: (share) => from + ((place(share) - ends[0]) / (ends[1] - ends[0])) * (to - from),
      ticks: [0.5, 0.9, 0.99, 0.999],
    }),
  };
}

/** A logarithmic axis that holds all values. */
export function logAxis(values: readonly number[], name: string, text: (value: number) => string): Axis {
  const good = values.filter((value) => value > 0 && Number.isFinite(value));
  return { name, text, scale: (from, to) => logScale(Math.min(...good), Math.max(...good), from, to) };
}

/** A linear axis from 0 that holds all values. */
export function linearAxis(values: readonly number[], name: string, text: (value: number) => string): Axis {
  return { name, text, scale: (from, to) => linearScale(Math.max(0, ...values.filter(Number.isFinite)), from, to) };
}

/** A colour and a name for each, and what is to be said of it. */
export function legend(entries: readonly (readonly [proxy: string, text: string, color?: string])[]): Markup {
  const items: Content[] = entries.map(([proxy, text, color]) =>
    html`<li class="${color ?? `p-${proxy}`}"><i></i>${proxy}${
      text === "" ? null : html`
        <b>${text}</b>
      `
    }</li>`
  );
  return html`<ul class="legend">${items}</ul>`;
}

function ariaOf(bar: Bar): string {
  return `${bar.proxy} ${bar.text}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function finite(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) ? value : 0;
}

/** A place in the plot; a tenth of a unit is enough. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
