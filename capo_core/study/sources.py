"""The texts a study can draw from, people's and methods', in one format; what was left out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation import run_outputs
from capo_core.evaluation.streams import held_out_items
from capo_core.imitation.history import INVALID, check_annotator
from capo_core.imitation.run_folder import RunFolder
from capo_core.study.config import Stratum, StudyConfig
from capo_core.study.leak_text import Marks, of_text
from capo_core.study.tables import COMPARISON, HUMAN, OTHER_HUMAN, REASONING
from capo_core.text.tokens import normalise, unify_quotes
from capo_core.workspace import Workspace

UNREAD = "no readable answer"
EMPTY = "no explanation"


@dataclass(frozen=True)
class Text:
    """One text as a judge would see it, and where it comes from.

    Attributes:
        annotator_id: who wrote it, or whom the method imitates.
        run_id: the run that wrote it; "" for people.
    """

    label: str
    explanation: str
    annotator_id: str
    run_id: str = ""


@dataclass(frozen=True)
class LeftOut:
    """How many texts of a source and target a study cannot show, and why."""

    source: str
    target: str
    reason: str
    count: int


@dataclass(frozen=True)
class Material:
    """What can be shown.

    Attributes:
        items: the items of the study's part, in the dataset's order.
        targets: whose texts are asked about.
        texts: (source, target, item_id) → texts, most often one.
        left_out: what was not taken, counted.
    """

    items: tuple[str, ...]
    targets: tuple[str, ...]
    texts: Mapping[tuple[str, str, str], tuple[Text, ...]]
    left_out: tuple[LeftOut, ...]
    _found: dict[tuple[Stratum, str, str], list[tuple[Text, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # of `options`, each looked for once

    def options(self, stratum: Stratum, target: str, item: str) -> list[tuple[Text, ...]]:
        """What a trial may show for this target on this item: one entry a choice, texts by slot.

        Two texts that say the same are no comparison. A reasoning trial has the target's own text
        in slot 1.
        """
        key = (stratum, target, item)
        if key not in self._found:
            self._found[key] = self._options(stratum, target, item)
        return self._found[key]

    def _options(self, stratum: Stratum, target: str, item: str) -> list[tuple[Text, ...]]:
        named = stratum.sources + ((HUMAN,) if stratum.kind == REASONING else ())
        found = list(product(*(self.texts.get((name, target, item), ()) for name in named)))
        if stratum.kind != COMPARISON:
            return found
        return [two for two in found if len({normalise(text.explanation) for text in two}) == 2]


def collect(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, marks: Marks | None = None
) -> Material:
    """The texts of all sources on the items of the study's part.

    Args:
        marks: with them, texts that `config.leave_out` names are not taken.

    Raises:
        ConfigError, DataError, RunError: a target is unknown, or a run is not there, not finished,
            or answered other data.
    """
    taken = _Taken(config, marks)
    targets = _people(dataset, config, config.split, taken)
    for source, runs in config.methods.items():
        for row in _answers(workspace, dataset, config, runs).itertuples():
            target = row.target_annotator_id
            if target in targets:
                text = Text(row.label, as_shown(row.explanation), target, row.run_id)
                readable = row.parsed == "true" and row.label
                taken.add(source, target, row.item_id, text, "" if readable else UNREAD)
    return taken.material(held_out_items(dataset, config.split), targets)


def people(
    dataset: Dataset, config: StudyConfig, split: str, marks: Marks | None = None
) -> Material:
    """As `collect`, with people's texts alone, on the items of any part of the data."""
    taken = _Taken(config, marks)
    targets = _people(dataset, config, split, taken)
    return taken.material(held_out_items(dataset, split), targets)


class _Taken:
    """Texts as they are taken or left out."""

    def __init__(self, config: StudyConfig, marks: Marks | None) -> None:
        self._config, self._marks = config, marks
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._texts: dict[tuple[str, str, str], list[Text]] = {}

    def add(self, source: str, target: str, item: str, text: Text, reason: str = "") -> None:
        reason = reason or ("" if text.explanation else EMPTY)
        if not reason and self._marks is not None and self._config.leave_out:
            found = [kind for kind, _ in of_text(text.explanation, self._marks)]
            reason = next((kind for kind in found if kind in self._config.leave_out), "")
        if reason:
            self._counts[source, target, reason] += 1
        else:
            self._texts.setdefault((source, target, item), []).append(text)

    def material(self, items: tuple[str, ...], targets: tuple[str, ...]) -> Material:
        left_out = tuple(LeftOut(*key, count) for key, count in sorted(self._counts.items()))
        texts = {key: tuple(found) for key, found in self._texts.items()}
        return Material(items, targets, texts, left_out)


def _people(dataset: Dataset, config: StudyConfig, split: str, taken: _Taken) -> tuple[str, ...]:
    """Take what people wrote on the items of a part; the targets."""
    targets = config.targets or dataset.annotators
    for target in targets:
        check_annotator(dataset, target)
    rows = dataset.annotations
    rows = rows[rows["item_id"].isin(held_out_items(dataset, split))]
    for row in rows.itertuples():
        text = Text(row.label, as_shown(row.explanation), row.annotator_id)
        for target in targets:
            # Both are taken in any case: checks and practice are made of them.
            source = HUMAN if target == row.annotator_id else OTHER_HUMAN
            taken.add(source, target, row.item_id, text, INVALID if row.valid == "false" else "")
    return targets


def as_shown(text: str) -> str:
    """`text` with the traces of a keyboard or a file made equal, the writer's manner left alone.

    Unicode NFC, plain quotes, white space of any kind and length as one space, none outside, no
    invisible characters. Case, punctuation and words stay: they are what is judged.
    """
    text = unify_quotes(unicodedata.normalize("NFC", text))
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))
    return " ".join(seen.split())


def _answers(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, runs: Iterable[str]
) -> pd.DataFrame:
    """The outputs of a source's runs, which answered the study's part of this very dataset."""
    folders = [RunFolder(workspace.runs / run) for run in runs]
    found, part = run_outputs.of_runs(dataset, folders)
    if part != config.split:
        raise DataError(
            f"the runs answered the {part} part",
            where=", ".join(runs),
            expected=f"answers to the {config.split} part, which the study shows",
        )
    run_outputs.streams_of(dataset, found, config.split)  # unknown items, targets, labels
    return pd.concat([one.frame for one in found], ignore_index=True)
