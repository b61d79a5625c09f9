"""An evaluation as files: long CSV, JSON lines, JSON, and a page that stands alone.

The evaluation as one HTML page that stands alone: no script, nothing from outside.

Intervals on a common axis from 0 to 1, as an SVG that needs nothing around it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from capo_core.errors import ConfigError
from capo_core.evaluation import report as reports
from capo_core.evaluation.measures.registry import (
    DIRECTIONS,
    Family,
    families_by_interest,
    find_measure,
)
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.stats.intervals import json_rows
from capo_core.workspace import atomic_file

_LEFT, _WIDTH, _RIGHT, _ROW = 190, 560, 70, 26


def interval_figure(blocks: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Blocks of rows with source, value, low, high, floor, ceiling and chance; all shares.

    Floor, ceiling and chance are drawn in each row as short lines: they belong to the row's k.
    """
    y, drawn = 34, [_axis()]
    for title, rows in blocks:
        drawn.append(f'<text x="0" y="{y}" class="soft">{escape(title)}</text>')
        for row in rows.itertuples():
            y += _ROW
            drawn.append(_row(row, y))
        y += int(1.5 * _ROW)
    body = "".join(drawn).replace("@BOTTOM@", str(y - _ROW))
    width = _LEFT + _WIDTH + _RIGHT
    said = "Share given to the target, with 95 % intervals; floor, ceiling and chance as lines"
    return (
        f'<svg role="img" aria-label="{said}" viewBox="0 0 {width} {y}" width="{width}" '
        f'height="{y}">{body}</svg>'
    )


def _at(share: float) -> float:
    return round(_LEFT + _WIDTH * share, 1)


def _axis() -> str:
    return "".join(
        f'<line x1="{_at(s)}" x2="{_at(s)}" y1="18" y2="@BOTTOM@" stroke="var(--line)"/>'
        f'<text x="{_at(s)}" y="12" text-anchor="middle" class="soft">{100 * s:.0f} %</text>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )


def _row(row, y: int) -> str:
    middle = y - 4
    beside = ""
    for name, dash in (("floor", ""), ("ceiling", ""), ("chance", "3 3")):
        share = getattr(row, name)
        if not math.isnan(share):
            beside += (
                f'<line x1="{_at(share)}" x2="{_at(share)}" y1="{middle - 9}" y2="{middle + 9}" '
                f'stroke="var(--soft)" stroke-width="2" stroke-dasharray="{dash}">'
                f"<title>{name} {100 * share:.0f} %</title></line>"
            )
    return (
        f'<text x="12" y="{y}">{escape(row.source)}</text>{beside}'
        f'<line x1="{_at(row.low)}" x2="{_at(row.high)}" y1="{middle}" y2="{middle}" '
        'stroke="var(--mark)" stroke-width="3"/>'
        f'<circle cx="{_at(row.value)}" cy="{middle}" r="5" fill="var(--mark)"/>'
        f'<text x="{_LEFT + _WIDTH + 12}" y="{y}">{100 * row.value:.0f} %</text>'
    )


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--ground:#fff;
--mark:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4af;--line:#39414a;
--ground:#15181c;--mark:#56b4e9}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0 auto;
max-width:62rem;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.2rem;margin:2.2rem 0 .4rem}
p{max-width:46rem}.soft{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;margin:.6rem 0 1rem}
th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.cell{text-align:right;padding:.3rem .6rem}summary{cursor:pointer;margin:.6rem 0}
svg text{fill:var(--ink);font:13px system-ui,sans-serif}svg .soft{fill:var(--soft)}
pre{white-space:pre-wrap;font-size:.8rem;border-left:3px solid var(--line);padding-left:1rem}
"""


def to_html(report: EvaluationReport) -> str:
    """The page."""
    title = f"How near do imitations come to their targets? {report.dataset}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=soft>{report.n_items} {escape(report.split)} items, "
        f"{len(report.annotators)} annotators"
        + ("; these annotators are simulated, no human wrote this" if report.simulated else "")
        + f". Data {escape(report.fingerprint[:12])}.</p>",
        *(f"<p>{escape(one.text)}</p>" for one in report.statements),
        _figure(report),
        *(
            _family(report, family)
            for family in families_by_interest()
            if (report.scores["family"] == family.name).any()
        ),
        _differences(report),
        _confusion(report),
        f"<h2>How it was computed</h2><p>{escape(report.methods.get('text', ''))}</p>"
        f"<details><summary>LaTeX</summary><pre>{escape(report.methods.get('latex', ''))}</pre>"
        "</details>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(part for part in parts if part)
        + "</body></html>\n"
    )


def _figure(report: EvaluationReport) -> str:
    """Attribution in the main view, one row a method and k, with floor, ceiling and chance."""
    name = report.config.views[0].name
    table = report.scores
    mine = table[
        (table["measure"] == name)
        & (table["target"] == ALL)
        & table["value"].notna()
        & ~table["source"].isin([HUMAN, OTHER])
    ]
    blocks = [(f"{k} explanation{'s' if k > 1 else ''}", rows) for k, rows in mine.groupby("k")]
    if not blocks:
        return ""
    return (
        f"<h2>Single explanations, and several together</h2><p class=soft>"
        f"{escape(find_measure(name).meaning)} The line on the left is other people's texts, "
        "the one on the right the target's own, the dotted one a guess.</p>"
        f"<div class=wide>{interval_figure(blocks)}</div>"
    )


def _family(report: EvaluationReport, family: Family) -> str:
    rows = report.scores[report.scores["family"] == family.name]
    made = [f"<h2>{escape(family.heading)}</h2>"]
    for name in dict.fromkeys(rows["measure"]):
        about = find_measure(name)
        some = rows[rows["measure"] == name]
        made.append(
            f"<p><strong>{escape(name)}</strong>, {DIRECTIONS[about.better]}. "
            f"{escape(about.meaning)}<br><span class=soft>Floor: {escape(str(about.floor))}. "
            f"Ceiling: {escape(str(about.ceiling))}. "
            f"Chance: {escape(str(about.chance))}.</span></p>"
            + _table(some[some["target"] == ALL], about.decimals)
        )
        each = some[some["target"] != ALL]
        if len(each):
            made.append(
                "<details><summary>By target</summary>"
                + _table(each, about.decimals, targets=True)
                + "</details>"
            )
    return "".join(made)


def _table(rows: pd.DataFrame, digits: int, *, targets: bool = False) -> str:
    pooled = (rows["k"] > 0).any()
    names = ["source", *(["target"] if targets else []), *(["k"] if pooled else [])]
    head = "".join(f"<th>{name}</th>" for name in names)
    numbers = ("value", "95 % interval", "n", "over seeds", "floor", "ceiling", "chance")
    head += "".join(f"<th class=n>{name}</th>" for name in numbers)
    body = []
    for row in rows.itertuples():
        cells = "".join(f"<td>{escape(str(getattr(row, name)))}</td>" for name in names)
        if math.isnan(row.value):
            cells += f'<td colspan="{len(numbers)}" class=soft>undefined: {escape(row.note)}</td>'
        else:
            shown = (
                number(row.value, digits),
                f"{number(row.low, digits)} to {number(row.high, digits)}",
                str(row.n),
                "" if math.isnan(row.seed_spread) else f"± {number(row.seed_spread, digits)}",
                *(number(getattr(row, name), digits) for name in ("floor", "ceiling", "chance")),
            )
            cells += "".join(f"<td class=n>{one}</td>" for one in shown)
        body.append(f"<tr>{cells}</tr>")
    return f"<div class=wide><table><tr>{head}</tr>{''.join(body)}</table></div>"


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign; empty where it is not defined."""
    return "" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def _differences(report: EvaluationReport) -> str:
    rows = report.differences[report.differences["target"] == ALL]
    if not len(rows):
        return ""
    head = "".join(f"<th>{n}</th>" for n in ("source", "against", "measure", "k")) + "".join(
        f"<th class=n>{n}</th>" for n in ("difference", "95 % interval", "n", "p", "p (Holm)")
    )
    body = "".join(
        f"<tr><td>{escape(row.source)}</td><td>{escape(row.against)}</td>"
        f"<td>{escape(row.measure)}</td><td>{row.k or ''}</td>"
        f"<td class=n>{number(row.value, 3)}</td>"
        f"<td class=n>{number(row.low, 3)} to {number(row.high, 3)}</td><td class=n>{row.n}</td>"
        f"<td class=n>{number(row.p, 4)}</td><td class=n>{number(row.p_holm, 4)}</td>"
        f"<td>{escape(row.verdict)}</td></tr>"
        for row in rows.itertuples()
    )
    return (
        "<h2>Who is better on the same items?</h2><p class=soft>The first source minus the second, "
        "paired by item, averaged over targets.</p><details><summary>All "
        f"{len(rows)} comparisons</summary><div class=wide><table><tr>{head}<th>the first is</th>"
        f"</tr>{body}</table></div></details>"
    )


def _confusion(report: EvaluationReport) -> str:
    rows = report.confusion[report.confusion["view"] == report.config.views[0].name]
    if not len(rows):
        return ""
    made = ["<h2>Who is taken for whom?</h2><p class=soft>Share of single explanations, in percent,"
            " by target (rows) and by whom they are given to (columns).</p>"]  # fmt: skip
    names = list(dict.fromkeys(rows["attributed"]))
    for source, own in rows.groupby("source", sort=False):
        head = "".join(f"<th class=n>{escape(name)}</th>" for name in names)
        body = []
        for target, cells in own.groupby("target", sort=False):
            shares = cells.set_index("attributed")["share"]
            shaded = "".join(
                f'<td class=cell style="background:rgba(0,114,178,{0.6 * shares[name]:.2f})">'
                f"{100 * shares[name]:.0f}</td>"
                for name in names
            )
            n = int(cells["n"].iloc[0])
            body.append(f"<tr><th>{escape(target)}</th>{shaded}<td class=n>{n}</td></tr>")
        made.append(
            f"<p><strong>{escape(source)}</strong></p><div class=wide><table>"
            f"<tr><th>target</th>{head}<th class=n>n</th></tr>{''.join(body)}</table></div>"
        )
    return "".join(made)


FILE_TYPES = (".html", ".csv", ".jsonl", ".json")


def to_csv(report: EvaluationReport) -> str:
    """The scores as CSV, one row a source, target, measure and k; undefined numbers are empty."""
    return report.scores.to_csv(index=False, lineterminator="\n")


def to_jsonl(report: EvaluationReport) -> str:
    """One JSON object a line: the scores, then the differences; `table` says which."""
    lines = [
        json.dumps({"table": name, **row}, ensure_ascii=False, allow_nan=False)
        for name in ("scores", "differences")
        for row in json_rows(getattr(report, name))
    ]
    return "".join(line + "\n" for line in lines)


def check_file_type(path: Path) -> Path:
    """`path`, if its ending is one of `KINDS`.

    Raises:
        ConfigError: it is not.
    """
    if path.suffix.lower() not in FILE_TYPES:
        raise ConfigError(
            f"{path.name!r} does not say what to write",
            expected=f"a name that ends in {', '.join(FILE_TYPES)}",
        )
    return path


def write(report: EvaluationReport, path: Path) -> Path:
    """Write the report in the form that the path's ending names; whole or not at all.

    Raises:
        ConfigError: the ending is not one of `KINDS`.
    """
    kind = check_file_type(path).suffix.lower()
    if kind == ".json":
        reports.save(report, path)
        return path
    text = {".html": to_html, ".csv": to_csv, ".jsonl": to_jsonl}[kind](report)
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path
