"""Which cases (an item, and who is imitated) a filter leaves, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from capo_core.dashboard.comparing_answers import Answers

OUTCOMES = {
    "": "any outcome",
    "right": "the target's label",
    "wrong": "another label",
    "unread": "could not be read",
    "own": "sounds like the target",
    "other": "sounds like another",
}
ORDERS = {
    "": "as in the data",
    "disagree": "most disagreement first",
    "typical": "most typical first",
    "worst": "worst first",
}


@dataclass(frozen=True)
class Wanted:
    """What must hold of a case; "" is anything.

    Attributes:
        target: who is imitated.
        label: a label that the target gave the item.
        method: whose answer `outcome` and `given` speak of; any one's where it is "".
        outcome: one of OUTCOMES.
        given: to whom the manner classifier gives the explanation.
        order: one of ORDERS.
        repetition: which of the seeds and samples, from 1.
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
    """One answer a source, target and item; a source with fewer repetitions shows its last."""
    frame = answers.frame
    last = frame.groupby(["source", "target"])["repetition"].transform("max")
    return frame[frame["repetition"] == last.clip(upper=repetition)]


def cases(answers: Answers, wanted: Wanted, own: dict[Case, frozenset[str]]) -> list[Case]:
    """The cases that pass, in the order wanted.

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
    """How many different labels the methods gave, then how far apart they are in manner."""
    grouped = frame.groupby(["item_id", "target"])
    labels = grouped["label"].nunique()
    spread = grouped["margin"].std().fillna(0.0)
    return {case: (int(labels[case]), float(spread[case])) for case in labels.index}
