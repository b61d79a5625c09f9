"""The answers of a comparison: one row per answer, with its label match and attribution.

Also the filter and order of cases (an item and an imitated annotator), and the style features of a
target's own texts beside those of each method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation import streams as evaluation_streams
from capo_core.evaluation.measures.attribution import NOBODY, View, attributed
from capo_core.evaluation.measures.labels import own_labels
from capo_core.evaluation.streams import HUMAN, Stream, human_streams
from capo_core.run_folder import RunFolder
from capo_core.stats.intervals import Z95
from capo_core.text import stylometry
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise
from capo_core.workspace import atomic_file

COLUMNS = ("source", "replicate", "repetition", "target", "item_id", "label", "explanation",
           "raw_text", "parsed", "problem", "right", "given", "margin")  # fmt: skip

_PEOPLE = ("item_id", "target", "given", "margin")


@dataclass(frozen=True)
class Answers:
    """The answers of all methods in a comparison to the same items.

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
    found, split = evaluation_streams.run_outputs(dataset, [RunFolder(path) for path in folders])
    items, _ = evaluation_streams.method_streams(dataset, found, split)
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
    """Return the table of `read`, from the file at `keep` if it is there, else written to it."""
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
    """Return the number of each answer among its source's answers for a target, from 1, in run
    order."""
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
    """Return `frame` in the order of its streams with attribution and margin, and the targets' own
    texts."""
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
    """Return the attributed annotator of each text, and the margin [n]: the target's score minus
    the highest other one.

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


OUTCOMES = {
    "": "any",
    "right": "target's label",
    "wrong": "label differs",
    "unread": "unreadable",
    "own": "attributed to the target",
    "other": "attributed to another annotator",
}
ORDERS = {
    "": "dataset order",
    "disagree": "most disagreement first",
    "typical": "most typical first",
    "worst": "worst first",
}


@dataclass(frozen=True)
class CaseFilter:
    """Conditions on a case; "" matches any.

    Attributes:
        target: the annotator imitated.
        label: a label that the target gave the item.
        method: the method that `outcome` and `given` refer to; any if "".
        outcome: one of OUTCOMES.
        given: the annotator that the style classifier attributes the explanation to.
        order: one of ORDERS.
        repetition: number of the seed or sample, from 1.
    """

    target: str = ""
    label: str = ""
    method: str = ""
    outcome: str = ""
    given: str = ""
    order: str = ""
    repetition: int = 1


Case = tuple[str, str]  # item_id, target


def of_repetition(answers: Answers, repetition: int) -> pd.DataFrame:
    """Return one answer per source, target and item; a source with fewer repetitions gives its
    last."""
    frame = answers.frame
    last = frame.groupby(["source", "target"])["repetition"].transform("max")
    return frame[frame["repetition"] == last.clip(upper=repetition)]


def cases(answers: Answers, wanted: CaseFilter, own: dict[Case, frozenset[str]]) -> list[Case]:
    """Return the cases that pass the filter, in the requested order.

    Args:
        own: labels that each target gave each item.
    """
    frame = of_repetition(answers, wanted.repetition)
    if wanted.target:
        frame = frame[frame["target"] == wanted.target]
    mine = frame[frame["source"] == wanted.method] if wanted.method else frame
    passing = mine[_holds(mine, wanted.outcome)]
    if wanted.given:
        passing = passing[passing["given"] == wanted.given]
    kept = set(zip(passing["item_id"], passing["target"], strict=True))
    targets = [name for name in answers.targets if wanted.target in ("", name)]
    found = [
        (item, target)
        for item in answers.items
        for target in targets
        if (item, target) in kept
        and (not wanted.label or wanted.label in own.get((item, target), ()))
    ]
    if wanted.order == "disagree":
        apart = _disagreement(frame)
        return sorted(found, key=lambda case: apart[case], reverse=True)
    if wanted.order in ("typical", "worst"):
        # What has no explanation is no manner at all: the worst there is.
        margin = mine["margin"].fillna(mine["margin"].min() - 1.0)
        mean = margin.groupby([mine["item_id"], mine["target"]]).mean().to_dict()
        return sorted(found, key=mean.__getitem__, reverse=wanted.order == "typical")
    return found


def _holds(rows: pd.DataFrame, outcome: str) -> pd.Series:
    if outcome == "right":
        return rows["right"] == "true"
    if outcome == "wrong":
        return rows["right"] == "false"
    if outcome == "unread":
        return rows["parsed"] == "false"
    if outcome == "own":
        return rows["given"] == rows["target"]
    if outcome == "other":
        return rows["given"] != rows["target"]
    return pd.Series(True, index=rows.index)


def _disagreement(frame: pd.DataFrame) -> dict[Case, tuple[int, float]]:
    """Return the number of different labels among the methods, then the spread of their margins."""
    grouped = frame.groupby(["item_id", "target"])
    labels = grouped["label"].nunique()
    spread = grouped["margin"].std().fillna(0.0)
    return {case: (int(labels[case]), float(spread[case])) for case in labels.index}


MOST = 12  # habits in the picture


@dataclass(frozen=True)
class Manner:
    """The most distinctive style features of a target, with the value of each method.

    Attributes:
        target: the annotator imitated.
        features: names of the features, the most telling first.
        texts: what each is, in words, with its unit.
        means: source (`HUMAN` is the target) → mean of each feature over texts, in its unit.
        errors: source → half of the 95 % interval of each mean, over items; NaN for one item.
        scaled: the means in standard deviations over all people's texts, from their mean.
        n: source → texts.
    """

    target: str
    features: tuple[str, ...]
    texts: tuple[str, ...]
    means: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    scaled: dict[str, np.ndarray]
    n: dict[str, int]


def manner(dataset: Dataset, answers: Answers, target: str) -> Manner:
    """Return the style features in which the target's held-out texts differ most from all
    annotators'.

    Each annotator counts the same in the mean of all people.
    """
    by_id = dataset.items.set_index("item_id")
    inputs = {
        item: (normalise(by_id.at[item, "text_a"]), normalise(by_id.at[item, "text_b"]))
        for item in answers.items
    }
    people = {
        stream.target: _of_stream(stream, answers.items, inputs)
        for stream in human_streams(dataset, answers.items)
        if stream.source == HUMAN and len(stream)
    }
    tables = {HUMAN: people[target]} if target in people else {}
    rows = answers.frame[answers.frame["target"] == target]
    for source in answers.sources:
        own = rows[(rows["source"] == source) & (rows["explanation"].str.strip() != "")]
        if len(own):
            tables[source] = _features(list(own["explanation"]), list(own["item_id"]), inputs)
    if HUMAN not in tables:
        return Manner(
            target, (), (), {}, {}, {}, {name: len(table) for name, table in tables.items()}
        )
    middle = np.mean([table.mean().to_numpy() for table in people.values()], axis=0)
    spread = pd.concat(people.values()).std().to_numpy()
    varying = np.flatnonzero(spread > 1e-9)
    names = tables[HUMAN].columns.to_numpy()
    distance = (tables[HUMAN].mean().to_numpy() - middle)[varying] / spread[varying]
    order = varying[np.argsort(-np.abs(distance), kind="stable")[:MOST]]
    means = {source: table.mean().to_numpy()[order] for source, table in tables.items()}
    return Manner(
        target,
        tuple(str(name) for name in names[order]),
        tuple(stylometry.describe(name) for name in names[order]),
        means,
        {source: _half_interval(table)[order] for source, table in tables.items()},
        {source: (own - middle[order]) / spread[order] for source, own in means.items()},
        {source: len(table) for source, table in tables.items()},
    )


def _half_interval(table: pd.DataFrame) -> np.ndarray:
    """Return 1.96 standard errors of the mean of each column, clustered by item."""
    each = table.groupby(level=0).mean()
    return Z95 * each.std().to_numpy() / np.sqrt(len(each))


def _of_stream(stream: Stream, items: tuple[str, ...], inputs: dict) -> pd.DataFrame:
    return _features(list(stream.explanations), [items[i] for i in stream.item], inputs)


def _features(texts: list[str], items: list[str], inputs: dict) -> pd.DataFrame:
    table = stylometry.features([normalise(text) for text in texts], [inputs[i] for i in items])
    return table.set_index(pd.Index(items))
