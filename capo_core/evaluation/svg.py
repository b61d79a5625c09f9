"""Intervals on a common axis from 0 to 1, as an SVG that needs nothing around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pandas as pd

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
