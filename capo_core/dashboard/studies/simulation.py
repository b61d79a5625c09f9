"""Simulated judges answer a design, to see what it can find before anybody is invited."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.studies import PAGE, cache, results
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import Trying
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import control_row, section_heading, show_note
from capo_core.dashboard.ui.text import escape
from capo_core.settings import SettingField, setting_field
from capo_core.study.simulated_judges import SimulatedJudgesConfig
from capo_core.study.source_names import source_name
from capo_core.study.tables import COMPARISON, HUMAN

# Setting → its key in the address.
_SHARES = {
    "attentiveness": "attentive", "skill": "skill", "left": "left", "doubt": "doubt",
    "careless": "careless",
}  # fmt: skip


def show(context: PageContext, seen: Seen) -> None:
    """Show the results that simulated judges would give."""
    st.html(f'<p class="capo-simulated"><strong>Simulated judges.</strong> {escape(_WARNING)}</p>')
    trying = _assumed(seen)
    on = url_state.get("try") == "1"
    st.button(
        "Simulate" if not on else "New simulated judges",
        key=f"{PAGE}.try",
        type="secondary" if on else "primary",
        on_click=url_state.put,
        args=(PAGE, {"try": "1", "luck": str(trying.judges.seed + 1) if on else None}),
    )
    if not on:
        return
    report = cache.tried(context.workspace, seen.name, trying)
    if report is None:
        waiting("Simulating judgments …")
        return
    results.draw(report, seen.name, tried=True)


_WARNING = (
    "No real judgments. The results below show what this design would find with judges as set here."
)


def _assumed(seen: Seen) -> Trying:
    section_heading("Simulated judges")
    values: dict[str, float] = {}
    with control_row("studies-judges", [1] * len(_SHARES)) as columns:
        for column, (path, key) in zip(columns, _SHARES.items(), strict=True):
            with column:
                values[path] = _percentage(key, setting_field(SimulatedJudgesConfig, path))
    section_heading("Sources")
    show_note(
        "Likeness: how often a text shows its target's style. Strength "
        "(comparisons): log-odds of being preferred; 0 for all means no difference."
    )
    likeness, strength = _pairs(url_state.get("likeness")), _pairs(url_state.get("strength"))
    sources = list(seen.config.sources)
    compared = COMPARISON in seen.config.kinds
    with control_row("studies-sources", [1] * max(2, len(sources))) as columns:
        for column, source in zip(columns, sources, strict=False):
            with column:
                usual = 1.0 if source == HUMAN else 0.5
                _number("likeness", likeness, source, "likeness", usual, 0.0, 1.0)
                if compared:
                    _number("strength", strength, source, "strength", 0.0, -5.0, 5.0)
    return Trying(
        SimulatedJudgesConfig(**values, seed=url_state.number("luck", 0, 0, 10_000)),
        _those(strength, sources),
        _those(likeness, sources),
    )


def _percentage(key: str, field: SettingField) -> float:
    """Show a share of the settings as a percentage, kept in the address under `key`; return it."""
    default, most = round(100 * field.default), round(100 * (field.high or 1))
    place, value = f"{PAGE}.{key}.widget", url_state.number(key, default, 0, most)

    def changed() -> None:
        now = url_state.now(place)
        url_state.put(PAGE, {key: None if now == default else str(now)})

    st.number_input(
        f"{field.title}, %", 0, most, step=5, **url_state.typed(place, value), on_change=changed,
        help=field.description,
    )  # fmt: skip
    return value / 100


def _number(
    key: str, chosen: Mapping[str, float], source: str, what: str, usual: float, low: float,
    high: float,
) -> None:  # fmt: skip
    place = f"{PAGE}.{key}.{source}.widget"
    value = min(high, max(low, chosen.get(source, usual)))

    def changed() -> None:
        now = {**chosen, source: url_state.now(place)}
        url_state.put(PAGE, {key: "~".join(f"{name}:{value:g}" for name, value in now.items())})

    st.number_input(f"{source_name(source)}: {what}", low, high, step=0.1,
                    on_change=changed, **url_state.typed(place, value))  # fmt: skip


def _pairs(text: str) -> dict[str, float]:
    """Return "sft:0.3~capo:0.6" as numbers by source; parts without a number are left out; values
    beyond ±5 too."""
    found = {}
    for part in filter(None, text.split("~")):
        name, _, number = part.partition(":")
        try:
            found[name] = float(number)
        except ValueError:
            continue
    return {name: value for name, value in found.items() if abs(value) <= 5}


def _those(values: Mapping[str, float], sources: list[str]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((name, value) for name, value in values.items() if name in sources))
