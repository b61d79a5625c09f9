"""The curves of a training, with what the numbers say above them."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import charts_training as charts
from capo_core.dashboard.components import heading, note, picture, side_by_side
from capo_core.dashboard.help_training import HELP
from capo_core.dashboard.run_words import Seen
from capo_core.dashboard.training import MOST_POINTS, Events, has
from capo_core.dashboard.words import percent

_FIRST = ("loss", "reward_accuracy", "margin", "change", "tokens_per_s")
_FOLDED = ("learning_rate", "grad_norm")


def show(seen: Seen, events: Events) -> None:
    if events.steps.empty and events.validations.empty:
        note(
            "No step is done yet; the curves appear by themselves."
            if seen.status.live
            else "No step was done."
        )
        _engine(events)
        return
    _probe(seen, events)
    there = [name for name in _FIRST if _there(events, name)]
    for row in range(0, len(there), 2):
        pair = there[row : row + 2]
        with side_by_side(f"curves-{row}", [1, 1]) as places:
            for place, name in zip(places, pair, strict=False):
                with place:
                    _curve(seen, events, name)
    if len(events.steps) > MOST_POINTS:
        note(f"Of {len(events.steps):,} steps, neighbours are drawn as their mean.")
    _engine(events)
    with (
        st.expander("Learning rate and gradient"),
        side_by_side("curves-folded", [1, 1]) as places,
    ):
        for place, name in zip(places, _FOLDED, strict=True):
            with place:
                if _there(events, name):
                    _curve(seen, events, name)


def _there(events: Events, name: str) -> bool:
    names = ("chosen_change", "rejected_change") if name == "change" else (name,)
    return any(has(events.steps, each) or has(events.validations, each) for each in names)


def _curve(seen: Seen, events: Events, name: str) -> None:
    heading(_title(events, name), HELP[name])
    picture(
        charts.curve(events, name),
        key=f"finetune.curve.{name}",
        file_name=f"{seen.run_id}-{name}",
        alt=f"{charts.CURVES[name].title} over the steps of training",
    )


def _title(events: Events, name: str) -> str:
    """What the curve shows, from its numbers."""
    title = charts.CURVES[name].title
    rows = events.validations if has(events.validations, name) else events.steps
    if name == "change" and has(rows, "chosen_change") and has(rows, "rejected_change"):
        own, others = rows["chosen_change"].iloc[-1], rows["rejected_change"].iloc[-1]
        said = f"own {own:+.1f}, the others' {others:+.1f}"
        return f"{title}: {said.replace('-', '−')}"
    if not has(rows, name):
        return title
    values = rows[name].dropna()
    first, last = values.iloc[0], values.iloc[-1]
    if name == "reward_accuracy":
        return f"{title}: {percent(last)}"
    if name == "tokens_per_s":
        return f"{title}: {events.steps[name].median():,.0f} tokens a second"
    if name in ("loss", "margin"):
        where = "validation" if rows is events.validations else "training"
        return f"{title}: {first:.2f} to {last:.2f} in {where}"
    return title


def _probe(seen: Seen, events: Events) -> None:
    probes = events.probes
    if not has(probes, "target_share"):
        return
    last = probes.iloc[-1]
    of = f" of {int(last['n'])} texts" if "n" in probes and last["n"] == last["n"] else ""
    heading(
        f"Given to {seen.targets[0] if seen.targets else 'the target'} after step "
        f"{int(last['step'])}: {percent(last['target_share'])}{of}",
        HELP["probe"],
    )
    picture(
        charts.probe(probes),
        key="finetune.curve.probe",
        file_name=f"{seen.run_id}-probe",
        alt="Share of sample explanations given to the target, over the steps of training",
    )


def _engine(events: Events) -> None:
    """How responses are scored, and why; what was counted and left out."""
    engine = events.engine
    if engine:
        asked, used = str(engine.get("asked", "")), str(engine.get("engine", ""))
        fell_back = asked not in ("", "auto", used)
        words = f"Engine: {used}"
        reason = engine.get("reason")
        if reason:
            words += f" ({'asked for ' + asked + '; ' if fell_back else ''}{reason})"
        note(f"{words}.")
    if events.notes:
        note("; ".join(events.notes).capitalize() + ".")
    if events.resumed:
        note(f"Resumed from step {', '.join(map(str, events.resumed))}.")
