"""The report of a study as one HTML page that stands alone: no script, nothing from outside."""

from __future__ import annotations

import math
from html import escape

import pandas as pd

from capo_core.dashboard import study_results
from capo_core.study.study_report import StudyReport, methods_paragraph

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--ground:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4af;--line:#39414a;
--ground:#15181c}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0 auto;
max-width:64rem;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.15rem;margin:2rem 0 .4rem}
p,li{max-width:46rem}.soft{color:var(--soft);overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;margin:.5rem 0}
th,td{padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line);text-align:left}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
"""


def to_html(report: StudyReport) -> str:
    """The page; every text is escaped."""
    found, facts = report.analysis, report.facts
    title = f"What judges found in the study {found.study_id}"
    parts = [f"<h1>{escape(title)}</h1>"]
    parts += [f"<p>{escape(line)}</p>" for line in study_results.sentences(found)]
    parts += [f"<p class=soft>{escape(line)}</p>" for line in found.sentences]
    if facts.frozen_hash:
        parts.append(f"<p class=soft>Frozen {escape(facts.frozen)} as {facts.frozen_hash}.</p>")
    if facts.planned:
        parts.append(f"<p><strong>Planned:</strong> {escape(facts.planned)}</p>")
    for name, frame in study_results.sections(found):
        parts.append(f"<h2>{escape(name)}</h2>{_table(frame)}")
    if found.quality is not None:
        said = "".join(f"<li>{escape(line)}</li>" for line in found.quality.sentences)
        parts.append(f"<h2>Of judge quality</h2><ul>{said}</ul>")
    parts.append(f"<h2>How it was computed</h2><p>{escape(methods_paragraph(report))}</p>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _table(frame: pd.DataFrame) -> str:
    numbers = {name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])}
    head = "".join(
        f"<th{' class=n' if name in numbers else ''}>{escape(str(name).replace('_', ' '))}</th>"
        for name in frame.columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if name in numbers else ''}>{escape(_cell(value))}</td>"
            for name, value in zip(frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    return (
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:.3f}"
    return str(value)
