import { expect, test } from "bun:test";
import { NOTHING } from "./html.ts";
import { barPlot, linearAxis, linePlot, logAxis, percentileAxis } from "./plots.ts";

const bar = (proxy: string, parts: number[]) => ({ proxy, parts, text: "t", range: null, title: "x" });

test("barPlot() of nothing, or of nothing that is a number, is nothing", () => {
  expect(barPlot([])).toBe(NOTHING);
  expect(barPlot([bar("tulle", [NaN])])).toBe(NOTHING);
});

test("barPlot() draws each part in proportion", () => {
  const svg = barPlot([bar("tulle", [10, 30]), bar("haproxy", [80])]).text;
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(widths.length).toBe(3);
  expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(3, 1);
  expect((widths[2] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(8, 0);
});

test("barPlot() escapes names and texts", () => {
  expect(barPlot([{ ...bar("a<b", [1]), text: "<i>", title: '"' }]).text).not.toMatch(/a<b|<i>|title>"/);
});

test("barPlot() shows a goal beyond all bars", () => {
  expect(barPlot([bar("tulle", [10])], { value: 50, text: "goal 50" }).text).toContain("goal 50");
});

test("linePlot() of lines without two points is nothing", () => {
  const axis = linearAxis([], "x", String);
  expect(linePlot([], axis, axis)).toBe(NOTHING);
  expect(linePlot([{ proxy: "tulle", points: [[0, 1]] }], axis, axis)).toBe(NOTHING);
});

test("linePlot() puts later points to the right and larger ones higher", () => {
  const points = [[0.5, 100], [0.99, 1000], [0.999, 9000]] as const;
  const svg = linePlot([{ proxy: "tulle", points }], percentileAxis(), logAxis([100, 9000], "latency", String)).text;
  const places = [...(/class="line[^"]*" d="([^"]*)"/.exec(svg)?.[1] ?? "").matchAll(/[ML]([\d.]+) ([\d.]+)/g)];
  const [xs, ys] = [places.map((match) => Number(match[1])), places.map((match) => Number(match[2]))];
  expect(xs).toEqual(xs.toSorted((a, b) => a - b));
  expect(ys).toEqual(ys.toSorted((a, b) => b - a));
  expect(places.length).toBe(3);
});

test("linePlot() skips points that are no numbers", () => {
  const svg = linePlot(
    [{ proxy: "tulle", points: [[0, 1], [1, NaN], [2, 3]] }],
    linearAxis([0, 2], "x", String),
    linearAxis([1, 3], "y", String),
  ).text;
  expect(svg).not.toContain("NaN");
});
