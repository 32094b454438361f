/** Style of the page: light and dark as the reader's device has it, one column on a phone. */
import { Markup } from "./html.ts";

export const STYLE = new Markup(`
:root { color-scheme: light dark; --bg: #fff; --fg: #1c2430; --soft: #5b6675; --line: #dfe4ea; --panel: #f6f8fa;
  --good: #0b6b3a; --good-bg: #dcf3e4; --near: #7a5200; --near-bg: #fdf0cf; --bad: #a4161a; --bad-bg: #fde1df; }
.p-tulle { --c: #0b7a75 } .p-haproxy { --c: #3566c2 } .p-nghttpx { --c: #8a4fbf } .p-nginx { --c: #4d8b31 }
.p-envoy { --c: #c2477f } .p-direct { --c: #8590a0 }
.k0 { --c: #0b7a75 } .k1 { --c: #3566c2 } .k2 { --c: #c2477f } .k3 { --c: #8a6d1d } .k4 { --c: #8a4fbf } .k5 { --c: #4d8b31 }
.p-haproxy-h1 { --c: #7d9fdd } .p-envoy-h1 { --c: #dd8bb1 }
.p-tulle-w2 { --c: #35aaa3 } .p-haproxy-w2 { --c: #7d9fdd } .p-nghttpx-w2 { --c: #b58bdc } .p-envoy-w2 { --c: #dd8bb1 }
@media (prefers-color-scheme: dark) {
  :root { --bg: #11161d; --fg: #e4e9ef; --soft: #9aa6b4; --line: #2b3440; --panel: #18202a;
    --good: #7fdca6; --good-bg: #12382a; --near: #f0cf7a; --near-bg: #3b3012; --bad: #ff9d96; --bad-bg: #46191b; }
  .p-tulle { --c: #35c2ba } .p-haproxy { --c: #6f9bf0 } .p-nghttpx { --c: #b98bf0 } .p-nginx { --c: #86c463 }
  .p-envoy { --c: #ec7fae }
  .k0 { --c: #35c2ba } .k1 { --c: #6f9bf0 } .k2 { --c: #ec7fae } .k3 { --c: #d0ad45 } .k4 { --c: #b98bf0 } .k5 { --c: #86c463 }
  .p-haproxy-h1, .p-haproxy-w2 { --c: #4667a3 } .p-envoy-h1, .p-envoy-w2 { --c: #a0557a }
  .p-tulle-w2 { --c: #1f827c } .p-nghttpx-w2 { --c: #7c5da3 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 84rem; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem }
p { margin: .3rem 0 .8rem; max-width: 92ch } .soft, small, figcaption span { color: var(--soft) }
small { display: block; font-size: .78rem; font-weight: normal; line-height: 1.3 }
.notice { padding: .6rem .8rem; border-radius: 6px; background: var(--near-bg); color: var(--near); max-width: none }
.cards { display: grid; gap: .6rem; margin: 1rem 0; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)) }
.card { padding: .7rem .8rem; border-radius: 8px; background: var(--panel); border-left: 4px solid var(--soft) }
.card b { display: block; font-size: 1.35rem } .card span { font-size: .82rem; color: var(--soft); display: block; line-height: 1.35 }
.card.met { border-color: var(--good) } .card.close { border-color: var(--near) } .card.missed { border-color: var(--bad) }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0 }
table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--bg) }
th:first-child small { white-space: normal; min-width: 9rem }
thead th { color: var(--soft); font-weight: 600 } tbody tr:last-child > * { border-bottom: 0 }
td.metric { color: var(--soft); text-align: left }
td.met { background: var(--good-bg); color: var(--good) } td.close { background: var(--near-bg); color: var(--near) }
td.missed, tr.bad > *, li.missed { background: var(--bad-bg); color: var(--bad) }
td.met small, td.close small, td.missed small { color: inherit; opacity: .8 }
mark { background: var(--near-bg); color: var(--near); padding: 0 .25rem; border-radius: 3px }
.grid { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)) }
figure { margin: 0; padding: .6rem .7rem; background: var(--panel); border-radius: 8px }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .6rem; font-size: .86rem }
figcaption small { flex-basis: 100% }
svg { display: block; width: 100%; height: auto; margin-top: .3rem; font: 11px system-ui, sans-serif }
svg rect { fill: var(--c) } svg text { fill: var(--fg) } svg .p-tulle text { font-weight: 700 }
svg .tick { fill: var(--soft); font-size: 10px } svg .grid { stroke: var(--line); stroke-width: 1; fill: none }
svg .line { stroke: var(--c); stroke-width: 1.8; fill: none; stroke-linejoin: round } svg .line.p-tulle { stroke-width: 3 }
svg .dashed { stroke-dasharray: 4 3 } svg .range { stroke: var(--fg); opacity: .65; fill: none }
svg .mark path { stroke: var(--near); stroke-dasharray: 3 3 } svg .mark text { fill: var(--near); font-size: 10px }
.legend { list-style: none; margin: .4rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .8rem }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; background: var(--c); margin-right: .35rem }
.legend b { font-weight: 600; font-variant-numeric: tabular-nums }
summary { cursor: pointer; font-weight: 600; margin-top: 2rem } code { font-size: .88em }
`);
