"""The explanations behind each point of the ladder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.errors import DataError
from capo_core.formatting import natural_key
from capo_core.stability.attribution import group_hits
from capo_core.stability.corpus import ExplanationCorpus, Partition
from capo_core.stats.intervals import wilson
from capo_core.workspace import atomic_file

_CELLS = 4_000_000  # scores saved of one point; beyond it only the first folds are saved


@dataclass(frozen=True)
class Evidence:
    """Held-out scores of the first partition, one matrix a point, and the order of its groups.

    Attributes:
        annotators: the columns of the scores.
        annotation_ids: text [m], the tested rows in group order.
        starts: runs of one fold and annotator in that order [runs + 1].
        scores: (representation, reduction) → float32 [m, C].
        complete: False where only the first folds are there.
    """

    annotators: tuple[str, ...]
    annotation_ids: np.ndarray
    starts: np.ndarray
    scores: dict[tuple[str, str], np.ndarray]
    complete: bool = True

    def groups(self, representation: str, reduction: str, k: int) -> pd.DataFrame:
        """Return all groups of `k` explanations with their author and the predicted annotator.

        Returns:
            One row a member: group (0…), annotator_id (the author), predicted, correct (bool),
            margin (mean score of the author minus that of the best other; below 0 is wrong),
            annotation_id. Groups with the clearest margin first.

        Raises:
            DataError: this point was not computed.
        """
        scores = self.scores.get((representation, reduction))
        if scores is None:
            raise DataError(
                f"there is no evidence for {representation} under {reduction}",
                expected=", ".join("/".join(key) for key in self.scores),
            )
        order = np.arange(len(scores))
        _hit, author, first = group_hits(scores, order, self.starts, k)
        rows = first[:, None] + np.arange(k)
        pooled = scores[rows].mean(axis=1) if len(first) else np.zeros((0, len(self.annotators)))
        groups = np.arange(len(first))
        own = pooled[groups, author]
        rest = pooled.copy()
        rest[groups, author] = -np.inf
        margin = own - rest.max(axis=1, initial=-np.inf)
        rank = np.argsort(-margin, kind="stable")
        names = np.array(self.annotators, dtype=object)
        predicted = pooled.argmax(axis=1) if len(pooled) else np.zeros(0, dtype=int)
        return pd.DataFrame(
            {
                "group": np.repeat(groups, k),
                "annotator_id": np.repeat(names[author[rank]], k),
                "predicted": np.repeat(names[predicted[rank]], k),
                "correct": np.repeat((predicted == author)[rank], k),
                "margin": np.repeat(margin[rank], k),
                "annotation_id": self.annotation_ids[rows[rank].ravel()],
            }
        )

    def points_of(self, annotation_ids: Sequence[str], representation: str, k: int) -> pd.DataFrame:
        """Return where some explanations, for instance those of an item, fall on the ladder.

        Returns:
            One row an explanation and reduction: annotation_id, annotator_id, reduction, predicted
            and correct (of its group of `k`), margin, rank (place of that margin among all groups,
            1 is the clearest), groups (how many there are). An explanation that is in no group has
            no row.

        Raises:
            DataError: nothing was computed for the representation.
        """
        reductions = [red for rep, red in self.scores if rep == representation]
        if not reductions:
            raise DataError(
                f"there is no evidence for {representation}",
                expected=", ".join(dict.fromkeys(rep for rep, _ in self.scores)),
            )
        parts = []
        for reduction in reductions:
            groups = self.groups(representation, reduction, k)
            rank = np.arange(len(groups)) // k + 1  # the clearest margin first
            found = groups.assign(reduction=reduction, rank=rank, groups=len(groups) // k)
            parts.append(found[found["annotation_id"].isin(list(annotation_ids))])
        names = ["annotation_id", "annotator_id", "reduction", "predicted", "correct", "margin",
                 "rank", "groups"]  # fmt: skip
        found = pd.concat(parts, ignore_index=True)[names]
        place = {name: n for n, name in enumerate(annotation_ids)}
        order = found["annotation_id"].map(place).argsort(kind="stable")
        return found.iloc[order].reset_index(drop=True)

    @property
    def representations(self) -> tuple[str, ...]:
        """The representations that there is evidence for."""
        return tuple(dict.fromkeys(representation for representation, _ in self.scores))

    def save(self, path: Path) -> None:
        """Write to `path` (npz, no pickles), atomically."""
        arrays = {
            "annotators": np.array(self.annotators, dtype=str),
            "annotation_ids": self.annotation_ids.astype(str),
            "starts": self.starts,
            "complete": np.array(self.complete),
        }
        for (representation, reduction), matrix in self.scores.items():
            arrays[f"scores {representation} {reduction}"] = matrix
        with atomic_file(path) as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read an evidence file; `DataError` where it is damaged."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as raw:
                scores = {
                    tuple(name.split(" ")[1:]): raw[name]
                    for name in raw.files
                    if name.startswith("scores ")
                }
                return cls(
                    tuple(str(a) for a in raw["annotators"]),
                    raw["annotation_ids"].astype(object),
                    raw["starts"],
                    scores,
                    bool(raw["complete"]),
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(
                "the evidence of this report cannot be read",
                where=str(path),
                todo="compute the report again",
            ) from error


BY_ANNOTATOR = ("annotator_id", "correct", "groups", "accuracy", "low", "high", "taken_for")


def by_annotator(groups: pd.DataFrame) -> pd.DataFrame:
    """Return how identifiable each annotator is at one point of the ladder.

    Args:
        groups: of `Evidence.groups`, of the first partition.

    Returns:
        BY_ANNOTATOR, one row an annotator in the order of names: groups attributed correctly, of
        how many, their share with Wilson's 95 % interval (groups share no explanation, but the
        classifier of their fold), and the annotator for whom the others are taken most often ("" if
        there are none).
    """
    heads = groups.drop_duplicates("group")
    rows = []
    for name, own in sorted(heads.groupby("annotator_id"), key=lambda each: natural_key(each[0])):
        right, n = int(own["correct"].sum()), len(own)
        wrong = own.loc[~own["correct"].astype(bool), "predicted"].value_counts()
        rows.append(
            (name, right, n, right / n, *wilson(right, n), "" if wrong.empty else wrong.index[0])
        )
    return pd.DataFrame(rows, columns=list(BY_ANNOTATOR))


def gather_evidence(
    corpus: ExplanationCorpus, part: Partition, scores: dict[tuple[str, str], np.ndarray]
) -> Evidence:
    """Return the evidence from `scores` of the partition's `evidence_rows`, each [rows, C]."""
    folds = _folds(corpus, part)
    starts = part.starts[: folds * len(corpus.annotators) + 1]
    ids = corpus.annotation_ids[evidence_rows(corpus, part)]
    return Evidence(corpus.annotators, ids, starts, scores, folds == part.folds)


def evidence_rows(corpus: ExplanationCorpus, part: Partition) -> np.ndarray:
    """Return the rows of the corpus that the evidence has, in its order: those of the first folds
    where scores are many."""
    folds = _folds(corpus, part)
    return part.orders[0][: part.starts[folds * len(corpus.annotators)]]


def _folds(corpus: ExplanationCorpus, part: Partition) -> int:
    classes = len(corpus.annotators)
    folds = part.folds
    while folds > 1 and part.starts[folds * classes] * classes > _CELLS:
        folds -= 1
    return folds
