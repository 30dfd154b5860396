"""How the console looks: one palette, two screen widths, no request to anywhere."""

from typing import Final

CSS: Final = """
:root { --ink: #16232f; --soft: #5b6b79; --line: #dfe6ec; --paper: #ffffff; --ground: #f5f7f9;
  --care: #0f766e; --sec: #7c3aed; --mark: #fde68a; }
body { background: var(--ground); color: var(--ink);
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.nicegui-content { padding: 0; align-items: stretch; }
.a-page { width: 100%; max-width: 1180px; margin: 0 auto; padding: 20px 20px 60px; gap: 16px; }
.a-head { background: var(--paper); color: var(--ink); border-bottom: 1px solid var(--line);
  box-shadow: none; }
.a-brand { font-weight: 700; font-size: 1.15rem; letter-spacing: .01em; color: var(--care);
  text-decoration: none; }
.a-nav { color: var(--soft); text-decoration: none; padding: 6px 10px; border-radius: 8px; }
.a-nav.on { color: var(--ink); background: #e8f3f1; font-weight: 600; }
.a-card { background: var(--paper); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px; width: 100%; box-shadow: none; gap: 10px; }
.a-claim { font-size: 1.06rem; line-height: 1.55; white-space: pre-line; }
.a-cite { display: inline-block; min-width: 1.5em; text-align: center; font-size: .75rem;
  font-weight: 700; color: var(--paper); background: var(--care); border-radius: 6px;
  padding: 1px 6px; margin: 0 2px; cursor: pointer; vertical-align: 2px; }
.a-refusal { border-left: 4px solid #b45309; background: #fffaf0; }
.a-soft { color: var(--soft); font-size: .9rem; }
.a-title { font-weight: 650; overflow-wrap: anywhere; }
.a-hit { border-top: 1px solid var(--line); padding: 12px 0 4px; width: 100%; }
.a-chip { display: inline-block; font-size: .76rem; border-radius: 999px; padding: 1px 9px;
  background: #eef2f6; color: var(--soft); margin-right: 6px; overflow-wrap: anywhere; }
.a-chip.graph { background: #f1ebfe; color: var(--sec); }
.a-chip.dense { background: #e8f3f1; color: var(--care); }
.a-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; font-size: .92rem; }
.a-doc { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.55; font-size: .92rem;
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.a-doc mark { background: var(--mark); padding: 1px 0; border-radius: 3px; }
.a-doc .e { border-bottom: 2px solid #99d5cd; }
.a-h { font-size: 1.35rem; font-weight: 700; }
.a-num { font-size: 1.6rem; font-weight: 700; }
.a-grid { display: grid; gap: 12px; width: 100%;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.a-row { display: flex; gap: 8px; width: 100%; align-items: center; flex-wrap: wrap; }
.a-grow { flex: 1 1 260px; min-width: 0; }
.a-edge { border-top: 1px solid var(--line); padding: 8px 0; width: 100%; overflow-wrap: anywhere; }
.a-rel { color: var(--sec); font-size: .82rem; padding: 0 6px; }
.a-drawer { width: min(720px, 96vw); max-width: 96vw; height: 100vh; max-height: 100vh;
  border-radius: 0; padding: 20px; overflow-y: auto; gap: 10px; }
@media (max-width: 600px) { .a-page { padding: 12px 12px 48px; } .a-card { padding: 14px; }
  .a-nav { padding: 6px 7px; } .a-brand span { display: none; } }
"""

COLOURS: Final = {
    "patient": "#0f766e",
    "ward": "#0891b2",
    "device": "#b45309",
    "condition": "#be123c",
    "symptom": "#e11d48",
    "medication": "#15803d",
    "allergy": "#a16207",
    "procedure": "#4d7c0f",
    "lab": "#0369a1",
    "host": "#7c3aed",
    "ip": "#6d28d9",
    "domain": "#a21caf",
    "account": "#c026d3",
    "process": "#86198f",
    "vulnerability": "#b91c1c",
    "technique": "#9d174d",
    "malware": "#831843",
    "threat_group": "#831843",
}
"""Colours of the graph's node types: care in greens and blues, security in violets and reds."""

OTHER: Final = "#64748b"
