"""Comparisons as votes: who preferred which of two texts, on what, and where the truth is known.

One *matter* is one pair of texts: a comparison trial together with its mirrored repeats, whoever
judged it. Which of its two texts is better is one fact, shared by all judges of the matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError, DataError
from capo_core.study.tables import CHECK, COMPARISON, MIRROR, PRACTICE, TIE


@dataclass(frozen=True)
class Votes:
    """n votes without ties, in arrays.

    Attributes:
        judge: int [n], into `judges`. matter: int [n], into `matters`.
        first: bool [n], was the text of the pair's first source preferred?
        pair: int [matters], into `pairs`; −1 where both texts come from one source.
        known: float [matters], 1 or 0 where the first text is known to be better or worse (checks),
            NaN elsewhere.
        judges, matters: identifiers (a matter has that of the trial first shown).
        pairs: (first source, second source), names in alphabetical order.
        repeat: bool [n], is the vote a mirrored repeat?
        ties: int [judges], answers "tie" that are not among the votes.
    """

    judge: np.ndarray
    matter: np.ndarray
    first: np.ndarray
    pair: np.ndarray
    known: np.ndarray
    judges: tuple[str, ...]
    matters: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    repeat: np.ndarray
    ties: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.judge)
        if not (len(self.matter) == len(self.first) == len(self.repeat) == n):
            raise ConfigError("the arrays of votes differ in length", expected=f"{n} of each")
        if len(self.pair) != len(self.matters) or len(self.known) != len(self.matters):
            raise ConfigError("pair and known must have one value a matter")
        if n and (self.judge.max() >= len(self.judges) or self.matter.max() >= len(self.matters)):
            raise ConfigError("a vote names a judge or a matter that is not there")

    @property
    def n(self) -> int:
        return len(self.judge)

    def per_judge(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """int [judges]: how many votes each cast (of those `chosen`, a bool [n])."""
        which = self.judge if chosen is None else self.judge[chosen]
        return np.bincount(which, minlength=len(self.judges))


def votes_of(judgments: pd.DataFrame) -> Votes:
    """The comparisons of a JUDGMENTS frame as votes; practice is left out, ties are counted apart.

    Votes follow the source, and where both texts have one source, the stored slot: a mirrored trial
    has the slots of the trial it repeats and is shown the other way round.

    Raises:
        DataError: a mirrored trial repeats one that names other sources.
    """
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] != PRACTICE)]
    judges = tuple(sorted(rows["judge_id"].unique()))
    root = rows["mirror_of"].where(rows["mirror_of"] != "", rows["trial_id"])
    low = np.minimum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    high = np.maximum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    table = pd.DataFrame(
        {
            "judge": rows["judge_id"].to_numpy(object),
            "root": root.to_numpy(object),
            "low": low,
            "high": high,
            # The first text is that of the alphabetically first source.
            "a_first": (rows["source_a"].to_numpy(object) == low),
            "answer": rows["answer"].to_numpy(object),
            "truth": np.where(rows["purpose"] == CHECK, rows["truth"].to_numpy(object), ""),
            "repeat": (rows["purpose"] == MIRROR).to_numpy(),
        }
    )
    each = table.groupby("root", sort=True)
    if (each[["low", "high"]].nunique() > 1).any(axis=None):
        bad = each[["low", "high"]].nunique().max(axis=1).idxmax()
        raise DataError(
            f"the mirrored repeat of trial {bad} names other sources than the trial",
            where="judgments, columns 'source_a' and 'source_b'",
            expected="the same two sources",
        )
    matters = tuple(each.groups)
    firsts = each.first()
    pairs = tuple(sorted({(a, b) for a, b in zip(low, high, strict=True) if a != b}))
    number = {pair: k for k, pair in enumerate(pairs)}
    pair = np.array(
        [number.get((a, b), -1) for a, b in zip(firsts["low"], firsts["high"], strict=True)],
        dtype=int,
    )
    known = _known(table, matters)
    cast = table[table["answer"] != TIE]
    ties = table[table["answer"] == TIE]["judge"].value_counts()
    return Votes(
        judge=pd.Index(judges).get_indexer(cast["judge"]) if len(cast) else np.zeros(0, int),
        matter=pd.Index(matters).get_indexer(cast["root"]) if len(cast) else np.zeros(0, int),
        first=((cast["answer"] == "a") == cast["a_first"]).to_numpy(dtype=bool),
        pair=pair,
        known=known,
        judges=judges,
        matters=matters,
        pairs=pairs,
        repeat=cast["repeat"].to_numpy(dtype=bool),
        ties=ties.reindex(list(judges)).fillna(0).to_numpy(dtype=int),
    )


def _known(table: pd.DataFrame, matters: tuple[str, ...]) -> np.ndarray:
    """float [matters]: is the first text the right answer of a check? NaN where it is no check."""
    checks = table[table["truth"] != ""].drop_duplicates("root").set_index("root")
    right = ((checks["truth"] == "a") == checks["a_first"]).astype(float)
    return right.reindex(list(matters)).to_numpy(dtype=float)
