/** The page of a run: one file without anything from elsewhere. */
import type { Case, Group } from "../cases.ts";
import { MUCH_NOISE } from "../noise.ts";
import type { Report } from "../rows.ts";
import {
  cpuFigure,
  grid,
  latencyFigure,
  memoryFigure,
  rateFigure,
  readyFigure,
  soakFigure,
  soloFigure,
} from "./charts.ts";
import { type Content, html, type Markup, NOTHING } from "./html.ts";
import type { Extras } from "./inputs.ts";
import { STYLE } from "./style.ts";
import { behind, cards, ratioTable, type Summary, summaryOf } from "./summary.ts";
import { attackTable, faultTable, rowTable, suiteTable } from "./tables.ts";

/** Share of noisy rows from which the page says so on top. */
const NOISY_SHARE = 0.1;

/** @param cases all there are; those without rows are left out */
export function pageOf(report: Report, cases: readonly Case[], extras: Extras): string {
  const summary = summaryOf(report, cases);
  const { rows } = report;
  const of = (group: Group, kinds: readonly string[]) =>
    cases.filter((item) => item.group === group && kinds.includes(item.load.kind));
  const isSolo = (item: Case) => "clients" in item.load && item.load.clients === 1;
  const closed = (group: Group) => of(group, ["http", "loop", "connections"]).filter((item) => !isSolo(item));
  const body = html`
    <h1>Tulle beside other proxies</h1>
    <p
      class="soft">${report.machine}. ${dateText(report.date)}. ${report.version}${report.version === ""
        ? ""
        : ". "}${report.rounds} ${report.rounds === 1 ? "round" : "interleaved rounds"} of ${report
        .runMs} ms for each proxy and case; medians.</p>
    ${noiseNotice(report, summary)}${extras.problems.map((problem) =>
      html`<p class="notice">Not shown: ${problem}</p>`
    )}
    ${cards(summary)}
    ${section("Ratios", RATIOS, ratioTable(cases, summary.comparisons))}
    ${section("Where Tulle is behind", null, summary.comparisons.length === 0 ? NOTHING : behind(summary))}
    ${section("Latency at fixed rates", OPEN, grid(of("pair", ["open"]).map((item) => latencyFigure(item, rows))))}
    ${section(
      "Latency of a single client",
      null,
      grid([...of("hop", ["http"]), ...of("pair", ["http"])].filter(isSolo).map((item) => soloFigure(item, rows))),
    )}
    ${section(
      "CPU per request: a pair with mutual TLS",
      PAIR,
      grid(closed("pair").map((item) => cpuFigure(item, rows))),
    )}
    ${section("CPU per request: one TLS hop", null, grid(closed("hop").map((item) => cpuFigure(item, rows))))}
    ${section(
      "Opaque TCP through a pair",
      null,
      grid(of("pair", ["bulk", "pingpong"]).flatMap((item) => [rateFigure(item, rows), cpuFigure(item, rows)])),
    )}
    ${section(
      "Memory of one proxy, and its start",
      null,
      grid([
        ...of("memory", ["idle", "open", "held"]).map((item) => memoryFigure(item, rows)),
        ...of("memory", ["ready"]).map((item) => readyFigure(item, rows)),
      ]),
    )}
    ${section(
      "One worker and two",
      WORKERS,
      grid([
        ...of("workers", ["idle"]).map((item) => memoryFigure(item, rows)),
        ...of("workers", ["http"]).flatMap((item) => [rateFigure(item, rows), cpuFigure(item, rows)]),
      ]),
    )}
    ${section("Conformance", null, suiteTable(extras.suites))}
    ${section("Attacks", ATTACKS, attackTable(extras.attacks))}
    ${section("Faults", null, faultTable(extras.faults))}
    ${section("Memory over time", null, extras.soak === null ? NOTHING : grid([soakFigure(extras.soak)]))}
    <details><summary>All rows</summary>${rowTable(report)}</details>
    ${section("How it was measured", null, METHOD)}
  `;
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Tulle: bench</title>
        <style>${STYLE}</style>
      </head>
      <body>${body}</body>
    </html>
  `.text;
}

const RATIOS =
  html`Tulle’s figure divided by the peer’s: below 1, Tulle needs less. Green: the goal is met (at most 1, for the
latency of a single client 1.10). Yellow: missed, but the rounds of the two overlap. Red: missed.`;
const OPEN =
  html`Requests start at evenly spaced times whatever the answers do, and each latency counts from the time its request
was due, so a stall is seen by all that it delays. Both axes are logarithmic.`;
const PAIR =
  html`Client, proxy A, mutual TLS 1.3, proxy B, backend. The darker part of a bar is A’s, the line its range over the
rounds. Tulle runs with policy, routes and metrics, the others with neither.`;
const WORKERS = html`On a machine of two cores the second worker shares its core with client and backend.`;
const ATTACKS = html`What a sidecar may grow by, what it grew by, and what other clients waited meanwhile.`;
const METHOD =
  html`<p>All proxies in one run, their turns interleaved; they run on core 1, client and backend on core 0, pinned. CPU
is user and system time of all threads of the proxies. Where “busy” is below 90 % the load was the limit, so rates do not compare
there, and CPU does. “Noise” is what other programs and the hypervisor took of the machine meanwhile, in cores. A request fails
when it has no answer, or another than 200 (gRPC: OK). <code>tests/bench/README.md</code> has the rest.</p>`;

function section(title: string, about: Content, content: Markup): Markup {
  if (content === NOTHING) return NOTHING;
  return html`<section><h2>${title}</h2>${
    about === null ? null : html`<p class="soft">${about}</p>`
  }${content}</section>`;
}

function noiseNotice(report: Report, summary: Summary): Markup {
  if (summary.noisy < NOISY_SHARE) return NOTHING;
  return html`<p class="notice">The machine was busy with other work: in ${
    Math.round(summary.noisy * 100)
  } % of the rows it took ${MUCH_NOISE} cores
or more, and the load average was ${report.loadAverage} at the start. Do not compare times of this run with others; ratios suffer, too.</p>`;
}

function dateText(iso: string): string {
  return iso.slice(0, 16).replace("T", " ") + " UTC";
}
