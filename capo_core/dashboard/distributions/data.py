"""The data of the page Distributions: a dataset, opened files, and the results of finished runs; no
Streamlit here.

Sources with their defaults, and those that could not be used. Opened files are stored once, under
the hash of their content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions import store
from capo_core.distributions.files import merge_judgments, read_judgments
from capo_core.distributions.judgments import CROWD, UNIFORM, Judgments, LabelDistribution
from capo_core.distributions.provenance import judgments_provenance
from capo_core.distributions.sources import (
    ANNOTATOR,
    ANNOTATORS,
    output_distributions,
    output_explanations,
    unused_outputs,
)
from capo_core.errors import CapoError, DataError
from capo_core.formatting import short
from capo_core.imitation.generation.outputs import read_table
from capo_core.provenance import Provenance
from capo_core.run_folder import RunFolder, find_run
from capo_core.runs.comparisons import Generation
from capo_core.task import NLI
from capo_core.workspace import Workspace


def labels_of(text: str) -> tuple[str, ...] | None:
    """Return the labels in a text typed by the user; None where it is empty."""
    labels = tuple(part.strip() for part in text.split(",") if part.strip())
    return labels or None


def take_in(
    workspace: Workspace, path: Path, labels: Sequence[str] | None, own: Sequence[str]
) -> str:
    """Read a file and keep what is in it; its id.

    Args:
        labels: in the order of the file's lists, as somebody named them; None: those of the
            dataset, and where they do not fit, NLI's.
        own: the dataset's labels.

    Raises:
        DataError: the file cannot be used; it says which line, and why.
    """
    if labels is not None:
        return store.save(read_judgments(path, labels), workspace)
    try:
        found = read_judgments(path, None if tuple(own) == NLI.scale.labels else own)
    except DataError:
        if tuple(own) == NLI.scale.labels:
            raise
        found = read_judgments(path, None)
    return store.save(found, workspace)


def opened(
    workspace: Workspace, names: Iterable[str], load: Callable[[Workspace, str], Judgments]
) -> tuple[dict[str, Judgments], list[str]]:
    """Return the open files in an address by their ids, and the ids that are not stored."""
    found: dict[str, Judgments] = {}
    missing = []
    for name in names:
        if not name:
            continue
        if not (name.isalnum() and len(name) <= 64):
            missing.append(short(name, 64))
            continue
        try:
            found[name] = load(workspace, name)
        except DataError:
            missing.append(name)
    return found, missing


MOST_SHOWN = 8  # sources beside each other before anybody has chosen
_ROUNDED = 0.0051  # how far a share may be off that was published with two digits


@dataclass(frozen=True)
class Reading:
    """Items and sources as the page shows them.

    Attributes:
        judgments: with what runs add.
        asked: without it; what a run would be asked about.
        dataset: its name; "" where files stand alone.
        files: the opened files that are part of it.
        estimates: (run, source) of each finished estimate.
        notes: what was left out or could not be used, in sentences.
        key: names this content, for what is kept in memory.
    """

    judgments: Judgments
    asked: Judgments
    dataset: str
    files: tuple[str, ...]
    estimates: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    key: str

    @property
    def names(self) -> list[str]:
        return [source.name for source in self.judgments.sources]

    def provenance(self, workspace: Workspace, dataset: Dataset | None) -> Provenance:
        """Return the provenance of what is shown; `dataset` is None where files stand alone."""
        runs = [RunFolder(workspace.runs / run) for run, _ in self.estimates]
        return judgments_provenance(self.judgments, dataset, runs=runs, files=self.files)


def put_together(
    own: Judgments | None, files: Sequence[Judgments], *, alone: bool = False
) -> tuple[Judgments, bool, list[str], list[str]]:
    """The dataset's judgments with those of files about the same items.

    Files that have nothing to do with the dataset are shown without it, and what does not go with
    the first of them is left out; both is said.

    Args:
        alone: leave the dataset out, whether or not it has the same items.

    Returns:
        The judgments, whether the dataset is among them, the names of the files that are, and
        what must be said, in sentences.
    """
    notes: list[str] = []
    if own is not None and (not files or not alone):
        found, with_own, names = own, True, []
        rest = list(files)
        if files and not any(_goes_with(own, file) for file in files):
            notes.append(
                f"No item of {_listed(files)} is in {own.name} with the same labels: "
                f"{'the file is' if len(files) == 1 else 'the files are'} shown without it."
            )
            found, with_own, names, rest = files[0], False, [files[0].name], list(files[1:])
    else:
        found, with_own, names, rest = files[0], False, [files[0].name], list(files[1:])
    for other in rest:
        try:
            before, found = found, merge_judgments(found, other)
        except DataError as error:
            notes.append(f"Skipped: {other.name} ({error.what}).")
            continue
        found, twins = _without_twins(before, found)
        if twins:
            notes.append(f"Duplicates from {other.name} are not shown: {', '.join(twins)}.")
        names.append(other.name)
    return found, with_own, names, notes


def _without_twins(first: Judgments, both: Judgments) -> tuple[Judgments, list[str]]:
    """`both` without what it only repeats of `first` (the same shares, the same explanations), and
    the sources left out for that."""
    new = both.sources[len(first.sources) :]
    twin_names = {one.name for one in new if any(_same(one, known) for known in first.sources)}
    said, more = first.explanations, both.explanations.iloc[len(first.explanations) :]
    there = set(zip(said["item_id"], said["label"], said["explanation"].map(_plain), strict=True))
    twins = [
        source
        for source, rows in more.groupby("source", sort=False)
        if there.issuperset(
            zip(rows["item_id"], rows["label"], rows["explanation"].map(_plain), strict=True)
        )
    ]
    more = more[~more["source"].isin(twins)]
    found = replace(both, sources=tuple(one for one in both.sources if one.name not in twin_names))
    said = pd.concat([said, more], ignore_index=True)
    return replace(found, explanations=said), sorted(twin_names)


def _same(one: LabelDistribution, known: LabelDistribution) -> bool:
    """Return whether `one` adds nothing to `known`, up to rounding to two digits."""
    if not set(one.item_ids) <= set(known.item_ids):
        return False
    return bool(np.abs(one.shares - known.rows(one.item_ids)).max(initial=0.0) <= _ROUNDED)


def _plain(text: str) -> str:
    return " ".join(str(text).split())


def _goes_with(first: Judgments, other: Judgments) -> bool:
    try:
        merge_judgments(first, other)
    except DataError:
        return False
    return True


def _listed(files: Sequence[Judgments]) -> str:
    return " and ".join(file.name for file in files)


def with_estimates(
    judgments: Judgments, workspace: Workspace
) -> tuple[Judgments, list[tuple[str, str]], list[str]]:
    """The judgments with all finished estimates on their items.

    Returns:
        Them, (run, source) of each estimate, and what could not be used.
    """
    made, notes = [], []
    for name in store.finished_estimates(judgments, workspace):
        try:
            source = store.load_estimate(find_run(workspace, name), judgments)
            taken = {one.name for one in judgments.sources}
            if source.name in taken:  # the same settings on other items
                source = replace(source, name=f"{source.name} ({name})")
            judgments = judgments.with_sources([source])
        except CapoError as error:
            notes.append(f"The estimate {name} cannot be used: {error.what}.")
            continue
        made.append((name, source.name))
    return judgments, made, notes


def with_answers(
    judgments: Judgments, workspace: Workspace, runs: Sequence[Generation]
) -> tuple[Judgments, list[str]]:
    """Return the judgments with imitated annotators and their ensembles, and the notes on unusable
    runs.

    The answers of all runs of a method are taken together, since a team's annotators mostly are in
    runs of their own; methods are named with their model where there are several.
    """
    models = {run.model for run in runs}
    frames, notes = [], []
    for run in runs:
        try:
            frame = read_table(workspace.runs / run.run_id)
        except CapoError as error:
            notes.append(f"The answers of {run.run_id} cannot be used: {error.what}.")
            continue
        if len(models) > 1:
            frame = frame.assign(method=frame["method"].astype(str) + f" ({run.model})")
        frames.append(frame)
    if not frames:
        return judgments, notes
    outputs = pd.concat(frames, ignore_index=True)
    try:
        more = output_distributions(judgments, outputs)
    except DataError as error:
        return judgments, [*notes, f"Answers of runs were skipped: {error.what}."]
    taken = {one.name for one in judgments.sources}
    judgments = judgments.with_sources(one for one in more if one.name not in taken)
    judgments = judgments.with_explanations(output_explanations(judgments, outputs))
    return judgments, [*notes, *unused_outputs(judgments, outputs)]


def default_against(names: Sequence[str]) -> str:
    """Return the default reference: the crowd, else the next best source."""
    for name in (CROWD, ANNOTATORS):
        if name in names:
            return name
    return next((name for name in names if name != UNIFORM), names[0])


def default_shown(names: Sequence[str], against: str) -> list[str]:
    """Return the sources shown by default: without single annotators and their imitations where
    there are others; uniform, the floor, always."""
    others = [name for name in names if name not in (against, UNIFORM)]
    teams = {name.removesuffix(" team") for name in others if name.endswith(" team")}
    whole = [
        name
        for name in others
        if not name.startswith(ANNOTATOR)
        and (name.endswith(" team") or not any(name.startswith(f"{head} ") for head in teams))
    ]
    # Where the annotators together are the measure, what is left to compare are they themselves.
    if against == ANNOTATORS or not whole:
        whole = others
    floor = [UNIFORM] if UNIFORM in names and against != UNIFORM else []
    return [*whole[: MOST_SHOWN - len(floor)], *floor]
