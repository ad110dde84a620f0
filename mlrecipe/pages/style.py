"""The style sheet of every page: light and dark, on a telephone, on paper."""

from __future__ import annotations

SHEET = """
:root { color-scheme: light dark; --ink: #1b1e23; --faint: #5f6672; --line: #dcdfe4; --page: #fff;
  --panel: #f5f6f8; --bar: #2f6aa8; --good: #1f7a4d; --bad: #b3372b; --heat: 47 106 168;
  --s0: #2f6aa8; --s1: #c4622d; --s2: #2e8b68; --s3: #8a4fa3; --s4: #a88a1f; --s5: #c2487a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --faint: #9aa2ad; --line: #343a43; --page: #15171a; --panel: #1d2024;
    --bar: #74a6dc; --good: #6cc596; --bad: #ef8a7d; --heat: 96 152 214;
    --s0: #74a6dc; --s1: #e8955f; --s2: #6cc5a1; --s3: #c192d8; --s4: #d5bb5a; --s5: #e88bb0; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  color: var(--ink); background: var(--page); max-width: 64rem; margin: 2rem auto 4rem; padding: 0 1rem;
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .7rem; border-top: 1px solid var(--line);
  scroll-margin-top: .5rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; }
.lead { color: var(--faint); margin: 0 0 1rem; }
.verdict { font-size: 1.05rem; background: var(--panel); border-left: 3px solid var(--bar);
  padding: .6rem .9rem; margin: .8rem 0; max-width: none; }
.warning { border-left: 3px solid #c2410c; padding-left: .7rem; margin: .3rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .3rem 0 .6rem; }
caption { text-align: left; color: var(--faint); font-size: .87rem; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .9rem .28rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 600; white-space: nowrap; } thead th { vertical-align: bottom; }
td.number, th.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
.facts td, td.text { overflow-wrap: anywhere; }
td.text { min-width: 17rem; max-width: 36rem; white-space: pre-wrap; }
td.heat { text-align: right; padding: .28rem .55rem; border: 1px solid var(--page); }
td.heat.right { outline: 1px solid var(--line); outline-offset: -2px; }
td.heat.dark { color: #fff; }
.up { color: var(--good); } .down { color: var(--bad); }
.tag { display: inline-block; background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: 0 .5rem; margin: 0 .25rem .1rem 0; font-size: .82rem; white-space: nowrap; }
.words span { display: inline-block; margin: 0 .3rem .2rem 0; text-align: center; line-height: 1.25; }
.words small { display: block; font-size: .72rem; color: var(--faint); }
.words .wrong { color: var(--bad); } .words .wrong small { color: var(--bad); }
pre { background: var(--panel); padding: .8rem 1rem; overflow-x: auto; font-size: .84rem; line-height: 1.45; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
nav { font-size: .9rem; margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; }
a { color: var(--bar); text-underline-offset: .15em; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--bar); }
.plots { display: flex; flex-wrap: wrap; gap: 1.2rem 1.6rem; } figure { margin: 0; max-width: 100%; }
figcaption, .faint { color: var(--faint); font-size: .87rem; }
img { max-width: 12rem; max-height: 12rem; }
svg { display: block; max-width: 100%; height: auto; } td svg { max-width: none; }
svg text { fill: var(--ink); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
svg .faint { fill: var(--faint); } svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
svg polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .whisker { stroke: var(--bar); stroke-width: 2; } svg .point { fill: var(--bar); }
svg .cloud { fill: var(--bar); fill-opacity: .35; } svg .guide { stroke-dasharray: 4 4; stroke: var(--faint); }
.key { display: inline-block; margin-right: .9rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .9rem; height: .2rem; margin-right: .35rem;
  vertical-align: middle; background: currentColor; }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
.key.s0, .key.s1, .key.s2, .key.s3, .key.s4, .key.s5 { color: var(--c); }
.key b { color: var(--ink); font-weight: normal; }
svg polyline[class] { stroke: var(--c); } svg circle[class^="s"] { fill: var(--c); }
@media (max-width: 30rem) { body { margin: 1rem auto 3rem; padding: 0 .7rem; font-size: 14px; }
  h1 { font-size: 1.3rem; } td.text { min-width: 13rem; } }
@media print { :root { color-scheme: light; --ink: #000; --faint: #444; --line: #bbb; --page: #fff;
    --panel: #f4f4f4; --bar: #2f6aa8; --heat: 47 106 168; }
  body { max-width: none; margin: 0; font-size: 10pt; } nav { display: none; }
  h2, h3, caption { break-after: avoid; } tr, figure { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; } pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; height: auto; } }
""".strip()
