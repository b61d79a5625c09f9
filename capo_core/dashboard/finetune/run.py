"""The live view of one run: state, actions, training curves with titles from the numbers, and
texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.finetune import PAGE, charts, live, run_actions, run_outputs
from capo_core.dashboard.finetune.live import head_html
from capo_core.dashboard.finetune.run_actions import events_of
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_figure,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import TRAINING_HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError
from capo_core.formatting import capitalised, count, duration, number, percent, signed, size
from capo_core.run_folder import RunFolder
from capo_core.runs import run
from capo_core.runs.events import MOST_POINTS, RunEvents, has_figure
from capo_core.runs.provenance import run_provenance
from capo_core.runs.status import Status
from capo_core.runs.summary import (
    TRAININGS,
    RunSummary,
    exact_duration,
    progress_text,
    status_line,
    summarise_run,
)
from capo_core.templates import render
from capo_core.text.representations import representation_title

_FIRST = ("loss", "reward_accuracy", "margin", "change", "tokens_per_s")
_FOLDED = ("learning_rate", "grad_norm")


def show_curves(seen: RunSummary, events: RunEvents) -> None:
    if events.steps.empty and events.validations.empty:
        show_note(
            "No training step yet; curves appear here as training proceeds."
            if seen.status.live
            else "No training step was done."
        )
        _engine(events)
        return
    there = [name for name in _FIRST if _there(events, name)]
    for row in range(0, len(there), 2):
        pair = there[row : row + 2]
        with side_by_side(f"curves-{row}", [1, 1]) as places:
            for place, name in zip(places, pair, strict=False):
                with place:
                    _curve(seen, events, name)
    if len(events.steps) > MOST_POINTS:
        show_note(f"Neighbouring steps of {len(events.steps):,} are averaged for drawing.")
    _engine(events)
    with (
        st.expander("Learning rate and gradient norm"),
        side_by_side("curves-folded", [1, 1]) as places,
    ):
        for place, name in zip(places, _FOLDED, strict=True):
            with place:
                if _there(events, name):
                    _curve(seen, events, name)


def _there(events: RunEvents, name: str) -> bool:
    names = ("chosen_change", "rejected_change") if name == "change" else (name,)
    return any(
        has_figure(events.steps, each) or has_figure(events.validations, each) for each in names
    )


def _curve(seen: RunSummary, events: RunEvents, name: str) -> None:
    section_heading(_title(events, name), TRAINING_HELP[name])
    show_figure(
        charts.curve(events, name),
        key=f"finetune.curve.{name}",
        file_name=f"{seen.run_id}-{name}",
        alt=f"{charts.CURVES[name].title} over the steps of training",
        title=_title(events, name),
    )


def _title(events: RunEvents, name: str) -> str:
    """Return the title of a curve, from its numbers."""
    title = charts.CURVES[name].title
    rows = events.validations if has_figure(events.validations, name) else events.steps
    if (
        name == "change"
        and has_figure(rows, "chosen_change")
        and has_figure(rows, "rejected_change")
    ):
        own, others = rows["chosen_change"].iloc[-1], rows["rejected_change"].iloc[-1]
        return f"{title}: own {signed(own, 1)}, the others' {signed(others, 1)}"
    if not has_figure(rows, name):
        return title
    values = rows[name].dropna()
    first, last = values.iloc[0], values.iloc[-1]
    if name == "reward_accuracy":
        return f"{title}: {percent(last)}"
    if name == "tokens_per_s":
        return f"{title}: {events.steps[name].median():,.0f} tokens per second"
    if name in ("loss", "margin"):
        where = "validation" if rows is events.validations else "training"
        return f"{title}: {_from_to([number(first), number(last)], len(values))} in {where}"
    return title


def _from_to(ends: Sequence[str], points: int) -> str:
    """Return "1.34 to 0.97"; the one number where there is one point, or both ends are the same."""
    first, last = ends
    if points == 1:
        return last
    return f"{first} to {last}" if first != last else f"{last}, first and last,"


def probe_title(probes: pd.DataFrame, target: str) -> str:
    """Return what the probes say, from the last one; of probes that are all alike, that too.

    Args:
        probes: events of kind "probe": step, target_share and, except in former runs, n.
    """
    last = probes.iloc[-1]
    if has_figure(probes, "probability"):
        return _probability_title(probes, target)
    share = percent(last["target_share"])
    if "n" in probes and last["n"] == last["n"]:
        n = int(last["n"])
        share = f"{round(last['target_share'] * n)}/{n} probe texts"
    if len(probes) > 1 and probes["target_share"].nunique() == 1:
        return (
            f"Attributed to {target}: {share} at each of {len(probes)} probes, so this probe "
            "does not tell the steps apart"
        )
    return f"Attributed to {target} at step {int(last['step'])}: {share}"


def _probability_title(probes: pd.DataFrame, target: str) -> str:
    known = probes[probes["probability"].notna()]
    first, last = known.iloc[0], known.iloc[-1]
    n = f"n = {int(last['n'])}"
    ends = _from_to([percent(first["probability"]), percent(last["probability"])], len(known))
    human = ""
    if has_figure(known, "human"):
        level = float(known["human"].dropna().iloc[-1])
        human = f"; {target}'s own texts {percent(level)}"
    return f"Probability of {target}: {ends} at step {int(last['step'])} ({n}{human})"


def _probe(seen: RunSummary, events: RunEvents) -> None:
    probes = events.probes
    if not has_figure(probes, "target_share"):
        return
    target = seen.targets[0] if seen.targets else "the target"
    section_heading(probe_title(probes, target), TRAINING_HELP["probe"])
    finer = has_figure(probes, "probability")
    if not finer and probes["target_share"].nunique() == 1:
        return  # a flat line shows nothing more
    show_figure(
        charts.probe(probes),
        key="finetune.curve.probe",
        file_name=f"{seen.run_id}-probe",
        title=probe_title(probes, target),
        alt="Probability of the target over training steps, by an attribution model"
        if finer
        else "Share of probe texts attributed to the target over training steps",
    )
    if finer:
        last = probes.iloc[-1]
        show_note(
            f"{percent(last['target_share'])} of the {int(last['n'])} texts are attributed to "
            f"{target} at the last step: that share is coarse, the probability tells steps apart."
        )


def _calibration(seen: RunSummary) -> None:
    """Show the chosen strength, and the figures it was chosen by."""
    folder = RunFolder(seen.run.folder)
    found = folder.result.get("calibration") if folder.done else None
    if not found:
        return
    section_heading(
        f"Calibrated strength: {found['strength']:g} of the way from SFT to CAPO",
        TRAINING_HELP["calibration"],
    )
    # Runs of builds that chose by the mean share have neither.
    distance, classifiers = found.get("distance", {}), found.get("by_classifier", {})
    own = [f"{percent(found['human'])} attributed to the target"]
    own += [
        f"{percent(seen['human'])} by {representation_title(name).lower()}"
        for name, seen in classifiers.items()
    ]
    show_note(
        f"{capitalised(found['reason'])}. The target's own texts about the same "
        f"{count(found['n'], 'validation item')}: {', '.join(own)}. "
        f"Chosen in {percent(found['support'])} of bootstrap draws over items."
    )
    rows = [
        {
            "strength": float(strength),
            "attributed": share,
            **{name: seen["imitation"][strength] for name, seen in classifiers.items()},
            "distance": distance.get(strength),
            "labels": found["label_accuracy"][strength],
            "chosen": "chosen" if float(strength) == found["strength"] else "",
        }
        for strength, share in found["imitation"].items()
    ]
    fields = {
        "strength": Field("Strength", digits=2),
        "attributed": Field("Attributed to target", percent=True, digits=0),
        **{
            name: Field(f"By {representation_title(name).lower()}", percent=True, digits=0)
            for name in classifiers
        },
        "distance": Field("Distance from the target's texts", percent=True, digits=0),
        "labels": Field("Label accuracy", percent=True, digits=0),
        "chosen": Field(""),
    }
    if not distance:
        del fields["distance"]
    table(
        pd.DataFrame(rows)[list(fields)],
        fields,
        key="finetune.calibration",
        file_name=f"{seen.run_id}-calibration",
    )


def _engine(events: RunEvents) -> None:
    """Show the scoring engine with its reason, and the counts of skipped responses."""
    engine = events.engine
    if engine:
        asked, used = str(engine.get("asked", "")), str(engine.get("engine", ""))
        fell_back = asked not in ("", "auto", used)
        words = f"Engine: {used}"
        reason = engine.get("reason")
        if reason:
            words += f" ({'asked for ' + asked + '; ' if fell_back else ''}{reason})"
        show_note(f"{words}.")
    if events.notes:
        show_note(capitalised("; ".join(events.notes)) + ".")
    if events.resumed:
        show_note(f"Resumed from step {', '.join(map(str, events.resumed))}.")


def show(context: PageContext, found: Sequence[RunSummary]) -> None:
    """Show the run in the address; else the running one, else the last one submitted."""
    asked = url_state.get("run")
    if asked and all(seen.run_id != asked for seen in found):
        _gone(context, asked)
        return
    if not found:
        show_note("No runs yet. Set one up under “New experiment”, or run the demo under “Queue”.")
        return
    seen = _choose(list(reversed(found)))
    exports.begin(run_provenance(context.workspace, [seen.run.files]))
    with st.container(horizontal=True, vertical_alignment="center"):
        run_actions.show(context, seen)
    # The state is cheap, and drawn more often than curves and texts.
    live.while_living(
        context.workspace,
        [seen],
        lambda: _draw_state(summarise_run(run.Run(seen.run.folder))),
        key="state",
    )
    live.while_living(
        context.workspace,
        [seen],
        lambda: _draw(context, summarise_run(run.Run(seen.run.folder))),
        key="run",
    )
    if seen.kind == "generate":
        run_outputs.in_full(context, seen)
    run_outputs.below(seen)


def _choose(found: list[RunSummary]) -> RunSummary:
    by_id = {seen.run_id: seen for seen in found}
    working = next((seen.run_id for seen in found if seen.state == "running"), None)

    def named(run_id: str) -> str:
        # Not the state: the browser sends the label back, which must be the same a moment later.
        return f"{by_id[run_id].title} · {run_id}"

    chosen = url_state.choice(
        st.selectbox, "Run", list(by_id), page=PAGE, key="run", default=working, format_func=named
    )
    return by_id[chosen]


def _draw_state(seen: RunSummary) -> None:
    """Draw where the run stands."""
    if not run.is_run(seen.run.folder):
        show_note("This run no longer exists.")
        return
    status = seen.status
    st.html(head_html(seen.title, seen.state, status_line(seen) if status.live else ""))
    if status.live:
        st.progress(status.share, text=markdown(_progress(seen)))
    _how_it_is(seen)


def _draw(context: PageContext, seen: RunSummary) -> None:
    """Draw what else changes while the run is running."""
    if not run.is_run(seen.run.folder):
        return
    events = events_of(seen.run)
    if events.unread:
        st.warning(f"{count(events.unread, 'unreadable line')} of the event log skipped.")
    figures = _figures(seen, events)
    if figures:
        st.html(render("dashboard/ui/key_numbers.html.j2", numbers=figures))
    if seen.kind in TRAININGS:
        _calibration(seen)
        # What the model writes says more than any curve.
        run_outputs.samples(context, seen, events)
        _probe(seen, events)
        show_curves(seen, events)
    elif seen.kind == "generate":
        run_outputs.answers(context, seen)
    elif seen.kind == "profile":
        run_outputs.profiles(seen)
    elif seen.kind == "evaluate":
        run_outputs.evaluation(seen)


def _progress(seen: RunSummary) -> str:
    if seen.run.stop_asked and seen.state == "running":
        return "Stopping: saves after the current step …"
    return progress_text(seen.status.share, seen.status.left_s())


def _how_it_is(seen: RunSummary) -> None:
    """Show a message where the run needs attention."""
    status = seen.status
    slow = run.silence_s(status)
    if slow:
        st.info(
            f"**Slow.** No progress for {duration(slow)}, but the process is running: the "
            "machine is busy, or a step takes long."
        )
    elif seen.state == "lost":
        st.warning(
            f"**The run is lost:** {markdown(status.message)}. Its checkpoints are kept; Resume "
            "continues from the last one."
        )
    elif seen.state == "failed":
        st.error(f"**The run failed.** {markdown(status.text)}")
    elif seen.state == "broken":
        st.error(
            f"**The run's files are broken:** {markdown(status.message)}. Repair the file in "
            f"{markdown(str(seen.run.folder))}, or delete the run and start it again."
        )
    elif seen.state == "stopped":
        st.info(f"{markdown(stop_sentence(status.message))}.")


def stop_sentence(message: str) -> str:
    """Return why a run stopped, without a full stop; most messages say "stopped" themselves."""
    return capitalised(message if message.startswith("stopped") else f"stopped: {message}")


def _figures(seen: RunSummary, events: RunEvents) -> list[tuple[str, str]]:
    """Return the current key numbers with their labels."""
    status = seen.status
    found: list[tuple[str, str]] = []
    result = _result(seen)
    if len(events.steps):
        last = events.steps.iloc[-1]
        planned = result.get("planned_steps")
        done = f"{int(last['step']):,}"
        found.append(("Steps", f"{done} of {planned:,}" if isinstance(planned, int) else done))
        if has_figure(events.steps, "loss"):
            found.append(("Training loss", number(last["loss"], 3)))
        if status.state == "running" and has_figure(events.steps, "tokens_per_s"):
            recent = events.steps["tokens_per_s"].tail(20).mean()
            found.append(("Tokens per second", f"{recent:,.0f}"))
    items = result.get("validation_items")
    on = f" (n = {items:,} items)" if isinstance(items, int) and items else ""
    if has_figure(events.validations, "loss"):
        best = events.validations.loc[events.validations["loss"].idxmin()]
        found.append((f"Best validation loss{on}", number(best["loss"], 3)))
        if pd.notna(best.get("reward_accuracy")):
            found.append(
                (f"Reward accuracy at best validation{on}", percent(best["reward_accuracy"]))
            )
    if status.duration_s():
        found.append(("Compute time", exact_duration(status.duration_s())))
    return [*found, *_memory(status)]


def _memory(status: Status) -> list[tuple[str, str]]:
    found = []
    if status.peak_bytes:
        found.append(("Peak memory", size(status.peak_bytes)))
    if status.gpu_peak_bytes:
        found.append(("Peak GPU memory", size(status.gpu_peak_bytes)))
    return found


def _result(seen: RunSummary) -> dict:
    if not seen.run.files.done:
        return {}
    try:
        result = seen.run.files.result
    except CapoError:
        return {}
    return result if isinstance(result, dict) else {}


def _gone(context: PageContext, asked: str) -> None:
    """Show that the run in the address does not exist, or is in the trash."""
    from capo_core.dashboard.finetune.run_actions import trashed

    thrown = [name for name, run_id, _ in trashed(context.workspace) if run_id == asked]
    if not thrown:
        todo = "open one in the list “All runs”"
        url_state.require("run", (), place=url_state.WORKSPACE, todo=todo)
    st.warning(f"The run {markdown(asked)} was deleted and is in the trash.")
    st.button(
        "Restore",
        key="finetune.restore",
        on_click=guarded,
        args=(run_actions.restore, context.workspace, thrown[-1]),
    )
