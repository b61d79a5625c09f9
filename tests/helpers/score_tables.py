"""Score tables drawn by hypothesis: the reports of evaluations that nobody would think of.

A table has one to three methods that imitate some of two to four annotators, on some of up to
fourteen items; scores of single texts are drawn as equal, as the human's, beyond or below them, or
by chance. Explanations are not read: their scores are given, as those of an LLM judge are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from capo_core.dataset import Dataset
from capo_core.evaluation.compute import report_of
from capo_core.evaluation.coverage import coverage_of
from capo_core.evaluation.measures.attribution import View, item_mean
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, human_streams
from capo_core.evaluation.table import TableConfig, evaluate
from capo_core.stats.bootstrap import resample
from capo_core.task import NLI

VIEW = View("words", "mask_input").name
SHAPES = ("one target of four", "missing method", "ties", "unequal items", "n of 1",
          "all equal", "overshoot", "nobody else", "any")  # fmt: skip
_LABELS = NLI.scale.labels
_TRAIN = 3


@dataclass(frozen=True)
class DrawnTable:
    """A drawn table with the report on it.

    Attributes:
        shape: one of `SHAPES`: what it was drawn to be.
        hits: (source, target, item) → whether that text is attributed to the target; people's
            texts in the place of others under (OTHER, target, item, author).
        answered: (method, target) → items, as drawn.
    """

    shape: str
    dataset: Dataset
    report: EvaluationReport
    hits: dict[tuple, float] = field(repr=False)
    answered: dict[tuple[str, str], frozenset[int]] = field(repr=False)

    def __repr__(self) -> str:
        return f"DrawnTable({self.shape!r}, {len(self.items)} items, {self.answered})"

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(self.dataset.items.loc[self.dataset.items["split"] == "test", "item_id"])


@st.composite
def drawn_tables(draw, shape: str = "") -> DrawnTable:
    """Draw a table; `shape` is one of `SHAPES`, "" for any of them."""
    shape = shape or draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    people = "ABCD"[: 4 if shape == "one target of four" else draw(st.integers(2, 4))]
    n = 1 if shape == "n of 1" else draw(st.sampled_from((2, 5, 6, 9, 14, 40)))
    methods = ("zero_shot", "sft", "capo")[: draw(st.integers(1, 3))]
    dataset = _dataset(
        people, n, rng, everywhere=shape in ("ties", "all equal"), alone=shape == "nobody else"
    )
    imitated = _imitated(draw, shape, people, methods)
    answered = {
        (method, target): _items(shape, n, rng)
        for method, some in imitated.items()
        for target in some
    }
    outputs = [
        _stream(method, target, items, dataset, rng, same=shape in ("ties", "all equal"))
        for (method, target), items in answered.items()
    ]
    ids = tuple(f"t{i}" for i in range(n))
    hits = _hits(shape, dataset, ids, outputs, rng)
    return DrawnTable(shape, dataset, _report(dataset, ids, outputs, hits), hits, answered)


def _imitated(draw, shape: str, people: str, methods: tuple[str, ...]) -> dict[str, str]:
    if shape == "one target of four":
        return dict.fromkeys(methods, draw(st.sampled_from(people)))
    if shape == "missing method":
        first = draw(st.sampled_from(people))
        rest = [draw(st.sets(st.sampled_from(people), min_size=1)) for _ in methods[1:]]
        return dict(zip(methods, (first, *("".join(sorted(some)) for some in rest)), strict=True))
    if shape == "any":
        some = [draw(st.sets(st.sampled_from(people), min_size=1)) for _ in methods]
        return {m: "".join(sorted(own)) for m, own in zip(methods, some, strict=True)}
    return dict.fromkeys(methods, people)


def _items(shape: str, n: int, rng: np.random.Generator) -> frozenset[int]:
    """All items, or most of them; item 0 always, so that methods have one in common."""
    if shape not in ("unequal items", "any", "missing method"):
        return frozenset(range(n))
    return frozenset([0, *np.flatnonzero(rng.random(n) < 0.8).tolist()])


def _dataset(
    people: str, n: int, rng: np.random.Generator, *, everywhere: bool, alone: bool
) -> Dataset:
    """Return items with their answers; `alone`: one annotator for each test item."""
    items = [(f"r{i}", "a", "b", "train") for i in range(_TRAIN)]
    items += [(f"t{i}", "a", "b", "test") for i in range(n)]
    said = [
        (f"{item}-{who}", item, who, _LABELS[0 if everywhere else rng.integers(3)], "because")
        for item, *_ in items
        for number, who in enumerate(people)
        # Some annotators did not answer some items.
        if (
            int(item[1:]) % len(people) == number
            if alone and item[0] == "t"
            else everywhere or number == 0 or item in ("r0", "t0") or rng.random() < 0.85
        )
    ]
    columns = ["annotation_id", "item_id", "annotator_id", "label", "explanation"]
    return Dataset(
        "drawn",
        NLI,
        pd.DataFrame(items, columns=["item_id", "text_a", "text_b", "split"]),
        pd.DataFrame(said, columns=columns).assign(valid="unknown"),
        origin="drawn for a test",
    )


def _stream(method, target, items, dataset, rng, *, same: bool) -> Stream:
    place = np.array(sorted(items))
    labels = [_LABELS[0 if same else rng.integers(3)] for _ in place]
    return Stream(method, target, "0", place, tuple(labels), ("because",) * len(place))


def _hits(shape, dataset, ids, outputs, rng) -> dict[tuple, float]:
    """Return who is attributed to the target; one level for each source, by the shape."""
    hits: dict[tuple, float] = {}
    human = rng.choice((0.0, 0.3, 0.6, 0.9, 1.0))
    level = {HUMAN: human, OTHER: rng.choice((0.0, 0.2, human))}
    for number, source in enumerate(dict.fromkeys(stream.source for stream in outputs)):
        level[source] = {
            "overshoot": min(1.0, human + 0.4) if number == 0 else rng.random(),
            "ties": human,
            "all equal": 1.0,
        }.get(shape, rng.choice((0.0, human, 1.0, rng.random())))
    if shape == "all equal":
        level = dict.fromkeys(level, 1.0)
    luck = {(t, i): rng.random() for t in dataset.annotators for i in range(len(ids))}
    for stream in (*human_streams(dataset, ids), *outputs):
        for item in stream.item.tolist():
            key = (stream.source, stream.target, item)
            key += (stream.replicate,) if stream.source == OTHER else ()
            chance = luck[stream.target, item] if shape == "ties" else rng.random()
            hits[key] = float(chance < level[stream.source])
    return hits


def _report(dataset, ids, outputs, hits) -> EvaluationReport:
    config = TableConfig(
        views=(View("words", "mask_input"),), pool=(1,),
        families=("labels", "attribution", "style", "explanations", "diversity"),
    )  # fmt: skip
    coverage = coverage_of(outputs, dataset.annotators)
    streams = [coverage.restrict(s) for s in (*human_streams(dataset, ids), *outputs)]
    given = [
        (s.source, s.target, s.replicate, *one)
        for s in streams
        if len(s)
        for one in _given(s, hits, len(ids))
    ]
    found = evaluate(dataset, ids, streams, TableConfig(families=("labels",)), given=given)
    return report_of(dataset, ids, streams, found, config, left_out=coverage.left_out)


def _given(stream: Stream, hits: dict[tuple, float], n: int):
    """Scores by measures that would read the texts: a share, a mean, and one that is none."""
    more = (stream.replicate,) if stream.source == OTHER else ()
    values = np.array(
        [hits[(stream.source, stream.target, i, *more)] for i in stream.item.tolist()]
    )
    yield VIEW, 1, item_mean(values, stream.item, n_items=n)
    apart = 0.1 + 0.05 * values
    if stream.source != HUMAN:
        yield "ROUGE-L", 0, item_mean(apart, stream.item, n_items=n, share=False)
    yield "self-similarity", 0, item_mean(apart, stream.item, n_items=n, share=False)

    def mean_of(weights: np.ndarray) -> np.ndarray:
        return (weights @ apart) / weights.sum(axis=1)

    yield "style distance", 0, resample(mean_of, stream.item, n_items=n, bounds=(0.0, 1.0))
