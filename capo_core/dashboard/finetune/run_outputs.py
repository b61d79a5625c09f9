"""Texts written by a run: samples during training, answers, profiles; then settings and log."""

from __future__ import annotations

import json
from itertools import groupby

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, link_to
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.finetune import PAGE
from capo_core.dashboard.finetune.run_actions import last_outputs
from capo_core.dashboard.ui import answer_details, url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.glossary import TRAINING_HELP
from capo_core.dashboard.ui.item_html import Answer, answers_html, item_html
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.formatting import count, natural_key, size
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.json_text import json_line
from capo_core.runs.events import RunEvents
from capo_core.runs.kinds import evaluation as kinds_evaluation
from capo_core.runs.kinds import training
from capo_core.runs.preflight.report import Preflight
from capo_core.runs.summary import RunSummary, exact_duration, flattened

MOST_SAMPLES = 6  # of one item: the first and the last ones
LATEST = 6
MOST_LISTED = 500
LOG_END = 20_000


def samples(context: PageContext, seen: RunSummary, events: RunEvents) -> None:
    """Show the model's samples for the same items during training, beside the annotator's own
    responses."""
    if not events.samples:
        return
    section_heading("Samples during training", TRAINING_HELP["samples"])
    dataset = _dataset(context, seen)
    by_item = sorted(
        events.samples, key=lambda sample: (_item(sample)[0], natural_key(_item(sample)[1]))
    )
    for (item_id, target), group in groupby(by_item, key=_item):
        written = sorted(group, key=lambda each: each["step"])
        if len(written) > MOST_SAMPLES:
            written = [*written[:1], *written[1 - MOST_SAMPLES :]]
        shown = [_sample(each, dataset) for each in written]
        _item_and_answers(dataset, item_id, [*shown, *_own(dataset, item_id, target)])


def _item(sample: dict) -> tuple[str, str]:
    return str(sample.get("item_id", "")), str(sample.get("target_annotator_id", ""))


def _sample(sample: dict, dataset: Dataset | None) -> Answer:
    step = f"Step {sample['step']}"
    if dataset is None:
        return Answer(step, "", sample["text"])
    read = parse_response(sample["text"], dataset.task)
    if read.problem:
        return Answer(step, "", sample["text"], f"unreadable: {read.problem}")
    return Answer(step, read.label, read.explanation)


def _own(dataset: Dataset | None, item_id: str, target: str) -> list[Answer]:
    """Return the annotator's own response to the item."""
    if dataset is None:
        return []
    rows = dataset.annotations
    rows = rows[(rows["item_id"] == item_id) & (rows["annotator_id"] == target)]
    return [
        Answer(row.annotator_id, row.label, row.explanation, "own response")
        for row in rows.itertuples()
    ]


def _item_and_answers(dataset: Dataset | None, item_id: str, shown: list[Answer]) -> None:
    if dataset is not None:
        items = cache.items_by_id(dataset)
        if item_id in items.index:
            item = items.loc[item_id]
            st.html(item_html(dataset.task, item["text_a"], item["text_b"]))
    known = looks(dataset.annotators) if dataset is not None else {}
    st.html(answers_html(shown, known))


def _dataset(context: PageContext, seen: RunSummary) -> Dataset | None:
    """The run's dataset, if it is still there."""
    entry = next((each for each in context.entries if each.name == seen.dataset), None)
    if entry is None or entry.problem:
        return None
    return cache.dataset(context.workspace, entry)


def answers(context: PageContext, seen: RunSummary) -> None:
    """The last answers of a generation."""
    latest, total = last_outputs(seen.run, LATEST)
    if not total:
        show_note("No answers yet." if seen.status.live else "No answers were generated.")
        return
    dataset = _dataset(context, seen)
    section_heading(f"Latest of {count(total, 'answer')}")
    for each in latest:
        target = str(each.get("target_annotator_id", ""))
        item_id = str(each.get("item_id", ""))
        readable = each.get("parsed") == "true"
        method = METHOD_TITLES.get(seen.method, seen.method)
        wrote = Answer(
            f"{method} for {target}",
            str(each.get("label", "")) if readable else "",
            str(each.get("explanation" if readable else "raw_text", "")),
            "" if readable else f"unreadable: {each.get('problem', '')}",
        )
        _item_and_answers(dataset, item_id, [wrote, *_own(dataset, item_id, target)])


def in_full(context: PageContext, seen: RunSummary) -> None:
    """Show the choice of one answer of a generation, and it with its prompt and tokens."""
    latest, total = last_outputs(seen.run, MOST_LISTED)
    dataset = _dataset(context, seen)
    if not total or dataset is None:
        return
    section_heading("One answer in full", "The prompt as the model read it, built again from the "
                    "run's settings; what the model wrote; and the tokens of both.")  # fmt: skip
    known = {
        f"{each['item_id']} · {each['target_annotator_id']} · {each['sample']}": each
        for each in latest
    }
    name = st.selectbox(
        f"Answer (item · annotator · sample), the last {len(known):,}" if total > len(known)
        else "Answer (item · annotator · sample)",
        list(known), index=None, key=f"{PAGE}.full.{seen.run_id}", placeholder="choose one",
    )  # fmt: skip
    if name in known:
        each = known[name]
        answer_details.show(
            context.workspace, seen.run, dataset, str(each["target_annotator_id"]),
            str(each["item_id"]), str(each["sample"]),
        )  # fmt: skip


def profiles(seen: RunSummary) -> None:
    """The profiles that were written."""
    try:
        raw = (seen.run.folder / training.FILE).read_text(encoding="utf-8")
        found = {str(name): str(each.get("text", "")) for name, each in json.loads(raw).items()}
    except (OSError, ValueError, AttributeError):
        show_note("No profile yet.")
        return
    section_heading("Value profiles")
    shown = [Answer(name, "", text) for name, text in found.items()]
    st.html(answers_html(shown, {}))


def evaluation(seen: RunSummary) -> None:
    """Show the headline of the evaluation, and the link to all of it."""
    path = seen.run.folder / kinds_evaluation.REPORT
    if not path.is_file():
        return
    from capo_core.evaluation.table import ALL  # loads the measures

    try:
        said = compare_cache.headline(path, ALL) or compare_cache.sentences(path, ALL)
        show_headline(*(text for _, text in said))
    except CapoError:
        return
    link_to("compare", "Compare the methods", {url_state.DATASET: seen.dataset, "of": seen.run_id})


def below(seen: RunSummary) -> None:
    """Show the static part of a run: estimate, settings, notes, log."""
    if seen.run.estimate:
        section_heading("Estimate and measurement", TRAINING_HELP["estimate"])
        _expected(seen)
    if seen.run.notes:
        section_heading("Notes")
        show_note(seen.run.notes)
    with st.expander("Settings"):
        rows = [(name, json_line(each)) for name, each in flattened(seen.settings).items()]
        table(
            pd.DataFrame(rows, columns=["name", "value"]),
            {"name": Field("Setting"), "value": Field("Value")},
            key="finetune.settings",
            file_name=f"{seen.run_id}-settings",
        )
        show_note(f"Folder: {seen.run.folder}")
    if seen.run.log.strip():
        with st.expander("Log", expanded=seen.state == "failed"):
            st.code(seen.run.log[-LOG_END:], language=None, wrap_lines=True)


def _expected(seen: RunSummary) -> None:
    try:
        found = Preflight.from_dict(seen.run.estimate or {})
    except (TypeError, AttributeError):
        show_note("The estimate cannot be read.")
        return
    status = seen.status
    over = not status.live
    rows = [
        ("Peak memory", _size(found.memory_bytes), _size(status.peak_bytes)),
        ("Peak GPU memory", _size(found.gpu_bytes), _size(status.gpu_peak_bytes)),
        (
            "Compute time",
            exact_duration(found.seconds) if found.seconds else "",
            exact_duration(status.duration_s()) if over and status.duration_s() else "",
        ),
        ("Disk space", _size(found.disk_bytes), _size(_written(seen)) if over else ""),
    ]
    rows = [row for row in rows if row[1]]
    table(
        pd.DataFrame(rows, columns=["what", "expected", "measured"]),
        {
            "what": Field("Quantity"),
            "expected": Field("Estimated"),
            "measured": Field(
                "Measured", "Empty while the run has not finished, or where it was not measured."
            ),
        },
        key="finetune.expected",
        file_name=f"{seen.run_id}-expected",
        download=False,
    )
    show_note(" ".join(found.sentences[:2]))


def _size(number: int | None) -> str:
    return size(number) if number else ""


def _written(seen: RunSummary) -> int:
    """Bytes of the run's folder."""
    return sum(
        path.stat().st_size
        for path in seen.run.folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
