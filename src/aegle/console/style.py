"""How the console looks: one palette, two screen widths, no request to anywhere."""

from typing import Final

MARK: Final = (
    '<svg width="22" height="24" viewBox="0 0 22 24" aria-hidden="true">'
    '<path d="M11 1 20 4v7c0 6-4 10-9 12-5-2-9-6-9-12V4z" fill="#0f766e"/>'
    '<path d="M9.4 6.5h3.2v3.6h3.6v3.2h-3.6v3.6H9.4v-3.6H5.8v-3.2h3.6z" fill="#fff"/></svg>'
)
"""A shield with a cross: what the product is for."""

CROSS: Final = (
    "M6.4 19 5 17.6 10.6 12 5 6.4 6.4 5l5.6 5.6L17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6z"
)
"""A shape, not a sign of the icon font: that is loaded when first shown, and its name till then."""

CSS: Final = """
:root { --ink: #16232f; --soft: #52616f; --line: #dfe6ec; --paper: #ffffff; --ground: #f4f6f8;
  --care: #0f766e; --sec: #6d28d9; --mark: #fde68a; }
body { background: var(--ground); color: var(--ink); font-size: 15px;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.nicegui-content { padding: 0; align-items: stretch; }
.a-page { width: 100%; max-width: 1120px; margin: 0 auto; padding: 20px 24px 60px; gap: 16px; }
.a-head { background: var(--paper); color: var(--ink); border-bottom: 1px solid var(--line);
  box-shadow: none; padding: 0; }
.a-bar { display: flex; align-items: center; gap: 4px; width: 100%; max-width: 1120px;
  margin: 0 auto; padding: 10px 24px; }
.a-brand { margin-right: auto; text-decoration: none; color: var(--ink); }
.a-brand > div { display: flex; align-items: center; gap: 9px; font-weight: 700;
  font-size: 1.12rem; }
.a-nav { color: var(--soft); text-decoration: none; padding: 6px 12px; border-radius: 8px; }
.a-nav:hover { background: var(--ground); }
.a-nav.on { color: var(--care); background: #e6f2f0; font-weight: 600; }
.a-head a:focus-visible, button:focus-visible, .a-cite:focus-visible {
  outline: 3px solid #5eaaa1; outline-offset: 2px; }
.a-card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 18px 20px; width: 100%; display: flex; flex-direction: column; gap: 10px; }
.a-h { font-size: 1.3rem; font-weight: 700; }
.a-h2 { font-size: 1.05rem; font-weight: 650; overflow-wrap: anywhere; }
.a-over { font-size: .76rem; font-weight: 650; letter-spacing: .05em; text-transform: uppercase;
  color: var(--soft); }
.a-gap { margin-top: 8px; }
.a-soft { color: var(--soft); font-size: .87rem; line-height: 1.4; overflow-wrap: anywhere; }
.a-note { background: #e6f2f0; color: #0b4f4a; border-radius: 8px; padding: 8px 12px;
  font-size: .9rem; width: 100%; overflow-wrap: anywhere; }
.a-title { font-weight: 600; overflow-wrap: anywhere; }
.a-answer { border-left: 4px solid var(--care); }
.a-claim { font-size: 1.06rem; line-height: 1.55; overflow-wrap: anywhere; }
.a-claim .inline { display: inline; }
.a-cite { display: inline-block; min-width: 1.6em; text-align: center; font-size: .74rem;
  font-weight: 700; color: var(--paper); background: var(--care); border: 0; border-radius: 6px;
  padding: 1px 6px; margin: 0 2px 0 6px; cursor: pointer; vertical-align: 2px; }
.a-cite:hover { background: #115e59; }
.a-source { display: flex; gap: 10px; align-items: flex-start; width: 100%; }
.a-number { min-width: 1.6em; text-align: center; font-size: .74rem; font-weight: 700;
  color: var(--care); border: 1px solid #a7cfca; border-radius: 6px; margin-top: 2px; }
.a-refusal { border-left: 4px solid #b45309; background: #fffaf0; }
.a-told { overflow-wrap: anywhere; }
.a-link { color: var(--care); }
.a-code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .86rem;
  background: var(--ground); border-radius: 6px; padding: 8px 12px; overflow-wrap: anywhere;
  user-select: all; }
.a-ask textarea { max-height: 9.5em; overflow-y: auto; }
#popup { inset: auto 0 0 0; margin: 0; padding: 12px 20px; border: 0; border-radius: 0;
  background: #7c2d12; color: #ffffff; display: block; text-align: center; font-size: .95rem; }
#popup > span { display: none; }
#popup::before { content: "Aegle does not answer: it was stopped, or is starting again. A question "
  "that is waiting gets no answer; ask it again when this note is gone."; }
.a-hit { border-top: 1px solid var(--line); padding: 12px 0 2px; width: 100%; display: flex;
  flex-direction: column; gap: 6px; }
.a-chips > div, .a-chips { display: flex; flex-wrap: wrap; gap: 6px; }
.a-chip { font-size: .78rem; border-radius: 6px; padding: 2px 8px; background: #eef2f6;
  color: #3d4c59; overflow-wrap: anywhere; }
.a-chip.graph { background: #f1ebfe; color: #5b21b6; }
.a-chip.dense { background: #e6f2f0; color: #0b5a54; }
.a-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; font-size: .9rem; }
.a-doc { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; font-size: .86rem;
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.a-doc mark { background: var(--mark); color: inherit; padding: 1px 0; border-radius: 3px; }
.a-id { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .8rem; }
.a-num { font-size: 1.5rem; font-weight: 700; font-variant-numeric: tabular-nums;
  line-height: 1.1; }
.a-grid { display: grid; gap: 12px; width: 100%;
  grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); }
.a-grid .a-card { padding: 14px 16px; gap: 4px; }
.a-halves { display: grid; gap: 16px; width: 100%; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); }
.a-count { display: grid; grid-template-columns: 9.5em 1fr 4em; gap: 10px; align-items: center;
  font-size: .9rem; }
.a-count-number { text-align: right; font-variant-numeric: tabular-nums; }
.a-track { background: #eef2f6; border-radius: 4px; height: 8px; }
.a-fill { background: #4b9a92; border-radius: 4px; height: 8px; }
.a-table { width: 100%; }
.a-th { color: var(--soft); font-size: .8rem; font-weight: 600; }
.a-tr { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; padding: 8px 0;
  border-top: 1px solid var(--line); }
.a-td { overflow-wrap: anywhere; font-size: .88rem; min-width: 0; }
.a-row { display: flex; gap: 10px; width: 100%; align-items: center; flex-wrap: wrap; }
.a-top { align-items: flex-start; flex-wrap: nowrap; }
.a-nowrap { flex-wrap: nowrap; }
.a-between { justify-content: space-between; }
.a-card .q-btn { font-size: .84rem; }
.a-card .a-row .q-btn.bg-primary { min-height: 40px; padding: 0 18px; font-size: .95rem; }
.a-examples { gap: 8px; }
.a-examples:empty { display: none; }
.a-examples .q-btn { text-align: left; font-weight: 500; padding: 3px 10px; max-width: 100%; }
.a-grow { flex: 1 1 240px; min-width: 0; }
.a-row.a-nowrap .a-grow, .a-top .a-grow, .a-source .a-grow { flex-basis: 0; }
.a-edge { border-top: 1px solid var(--line); padding: 8px 0 6px; width: 100%; }
.a-tie { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; }
.a-end { display: inline-flex; align-items: center; gap: 5px; }
.a-walk { font-weight: 600; padding: 0 4px; text-align: left; }
.a-walk .q-btn__content { overflow-wrap: anywhere; }
.a-rel { color: #3d4c59; font-size: .84rem; }
.a-quote { color: var(--soft); font-size: .86rem; line-height: 1.45; overflow-wrap: anywhere; }
.a-dot { display: inline-block; flex: none; width: 11px; height: 11px; border-radius: 50%; }
.a-stop { display: flex; align-items: center; gap: 8px; }
.a-step { border-left: 2px solid #c3cdd6; margin-left: 5px; padding: 2px 0 6px 18px; }
.a-chart { width: 100%; height: min(540px, 72vh); }
.a-drawer { width: min(720px, 100vw); max-width: 100vw; height: 100%; max-height: 100vh;
  border-radius: 0; padding: 0 22px 22px; overflow-y: auto; }
.a-drawer-head { position: sticky; top: 0; background: var(--paper); display: flex; gap: 10px;
  align-items: flex-start; width: 100%; padding: 16px 0 10px; z-index: 1;
  border-bottom: 1px solid var(--line); }
.q-dialog__inner--right { padding: 0; }
.q-dialog__inner--right > .a-drawer { max-height: 100vh; border-radius: 0; }
@media (max-width: 600px) { .a-page { padding: 14px 12px 48px; } .a-bar { padding: 8px 12px; }
  .a-card { padding: 14px; } .a-nav { padding: 6px 9px; } .a-tr { grid-template-columns: 1fr;
  gap: 2px; } .a-tr.a-th { display: none; }
  .a-count { grid-template-columns: 8em 1fr 3.4em; } .a-chart { height: 420px; }
  .a-drawer { padding: 0 14px 18px; } }
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
