"""The answers of a comparison, one row an answer, with what each says about manner and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation import run_outputs
from capo_core.evaluation.attribution import View, attributed
from capo_core.evaluation.confusion import NOBODY
from capo_core.evaluation.labels import own_labels
from capo_core.evaluation.streams import HUMAN, Stream, human_streams
from capo_core.imitation.run_folder import RunFolder
from capo_core.text.embed import Embedder
from capo_core.workspace import atomic_file

COLUMNS = ("source", "replicate", "repetition", "target", "item_id", "label", "explanation",
           "raw_text", "parsed", "problem", "right", "given", "margin")  # fmt: skip

_PEOPLE = ("item_id", "target", "given", "margin")


@dataclass(frozen=True)
class Answers:
    """What all methods of a comparison answered to the same items.

    Attributes:
        split, items: the part of the data, and its items that all runs answered, in its order.
        sources: the methods, in the order of their runs.
        frame: COLUMNS. `repetition` counts a method's seeds and samples from 1; `right` says
            whether the target gave the item that label ("" where the target gave none, else "true"
            or "false"; an unread answer is "false"); `given` is to whom a classifier of manner
            gives the explanation; `margin` is the target's score less the best other one's.
        people: the same for the targets' own texts: item_id, target, given, margin.
    """

    split: str
    items: tuple[str, ...]
    sources: tuple[str, ...]
    frame: pd.DataFrame
    people: pd.DataFrame

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.frame["target"]))

    @property
    def repetitions(self) -> int:
        return int(self.frame["repetition"].max()) if len(self.frame) else 0


def read(dataset: Dataset, folders: Sequence[Path], *, cache: Path | None = None) -> Answers:
    """The answers of finished generations, each attributed by the evaluation's main classifier.

    Raises:
        DataError: a run is of other data, or the runs have no item in common.
        RunError: a run is not there.
    """
    found, split = run_outputs.of_runs(dataset, [RunFolder(path) for path in folders])
    items, _ = run_outputs.streams_of(dataset, found, split)
    kept = set(items)
    parts = []
    for one in found:
        rows = one.frame[one.frame["item_id"].isin(kept)]
        replicate = one.replicate + "/" + rows["sample"]
        parts.append(rows.assign(source=one.source, replicate=replicate))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.rename(columns={"target_annotator_id": "target"})
    frame["repetition"] = _repetitions(frame)
    frame["right"] = _right(dataset, items, frame)
    frame, people = _attributed(dataset, items, frame, cache)
    sources = tuple(dict.fromkeys(one.source for one in found))
    return Answers(split, items, sources, frame.loc[:, list(COLUMNS)], people)


def kept(
    dataset: Dataset, folders: Sequence[Path], keep: Path, *, cache: Path | None = None
) -> Answers:
    """`read`, from the table at `keep` where it lies there, else written there."""
    if keep.is_file():
        whole = pd.read_parquet(keep)
        own = whole["source"] == HUMAN
        frame = whole[~own].drop(columns="split").reset_index(drop=True)
        people = whole.loc[own, list(_PEOPLE)].reset_index(drop=True)
        there = set(frame["item_id"])
        items = tuple(item for item in dataset.items["item_id"] if item in there)
        return Answers(
            str(whole["split"].iloc[0]), items, tuple(dict.fromkeys(frame["source"])), frame, people
        )
    made = read(dataset, folders, cache=cache)
    texts = dict.fromkeys(set(COLUMNS) - set(_PEOPLE) - {"repetition"}, "")
    people = made.people.assign(**{**texts, "source": HUMAN, "repetition": 0})
    with atomic_file(keep) as file:
        whole = pd.concat([made.frame, people[list(COLUMNS)]], ignore_index=True)
        whole.assign(split=made.split).to_parquet(file, index=False)
    return made


def _repetitions(frame: pd.DataFrame) -> pd.Series:
    """Which of its source's answers for a target this is, from 1, in the order of the runs."""
    replicates = frame.drop_duplicates(["source", "target", "replicate"])
    number = replicates.groupby(["source", "target"], sort=False).cumcount() + 1
    keys = zip(replicates["source"], replicates["target"], replicates["replicate"], strict=True)
    known = dict(zip(keys, number, strict=True))
    mine = zip(frame["source"], frame["target"], frame["replicate"], strict=True)
    return pd.Series([known[key] for key in mine], index=frame.index)


def _right(dataset: Dataset, items: tuple[str, ...], frame: pd.DataFrame) -> list[str]:
    own = {
        target: dict(zip(items, own_labels(dataset, items, target), strict=True))
        for target in frame["target"].unique()
    }
    said = []
    for row in frame.itertuples():
        labels = own[row.target][row.item_id]
        said.append("" if not labels else "true" if row.label in labels else "false")
    return said


def _attributed(
    dataset: Dataset, items: tuple[str, ...], frame: pd.DataFrame, cache: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`frame` in the order of its streams with given and margin, and the targets' own texts."""
    place = pd.Index(items)
    groups = [rows for _, rows in frame.groupby(["source", "target", "replicate"], sort=False)]
    streams = [
        Stream(
            rows["source"].iloc[0],
            rows["target"].iloc[0],
            rows["replicate"].iloc[0],
            place.get_indexer(rows["item_id"]),
            tuple(rows["label"]),
            tuple(rows["explanation"]),
        )
        for rows in groups
    ]
    own = [stream for stream in human_streams(dataset, items) if stream.source == HUMAN]
    scored = attributed(dataset, items, [*streams, *own], View(), Embedder(cache)).streams
    names = dataset.annotators
    made = []
    for rows, stream, scores in zip(groups, streams, scored[: len(groups)], strict=True):
        given, margin = _whose(scores, stream, names)
        made.append(rows.assign(given=given, margin=margin))
    people = []
    for stream, scores in zip(own, scored[len(streams) :], strict=True):
        given, margin = _whose(scores, stream, names)
        people.append(
            pd.DataFrame(
                {
                    "item_id": [items[i] for i in stream.item],
                    "target": stream.target,
                    "given": given,
                    "margin": margin,
                }
            )
        )
    return pd.concat(made, ignore_index=True), pd.concat(people, ignore_index=True)


def _whose(
    scores: np.ndarray, stream: Stream, names: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """To whom each text is given, and the target's score [n] less the best other one's.

    What has no explanation is given to nobody, and its margin is NaN.
    """
    written = np.array([bool(text.strip()) for text in stream.explanations], dtype=bool)
    column = list(names).index(stream.target)
    others = np.delete(scores, column, axis=1)
    margin = scores[:, column] - (others.max(axis=1) if others.shape[1] else 0.0)
    margin = np.where(written, margin, np.nan)
    best = scores.argmax(axis=1)
    given = [names[b] if there else NOBODY for b, there in zip(best, written, strict=True)]
    return given, margin
