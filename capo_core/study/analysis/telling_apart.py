"""Do the judges of comparisons tell texts apart at all? Asked before anything is called equivalent.

Judges who press keys at random choose each of two texts in half of the trials, whatever the texts
are: by them, everything is equivalent (clinical trials call what is missing assay sensitivity, ICH
E10). So the same study has to show that its judges tell something apart, by whatever it holds:

- trials with a known answer (checks): the right answer;
- mirrored repeats: the same text again, its sides turned;
- text pairs judged by several: the same answer;
- pairs of sources of which one was preferred.

Guesses give ½ in each. A kind counts where its p-value against guesses, adjusted by Holm over all
of them, is at most .001 (one-sided; pairs of sources two-sided): guesses are to be called
equivalent as good as never, and judges who attend pass that in any study large enough for a test of
equivalence. It also has to show more than the margin: how far from ½ such judges would choose a
text that is always the better one. That is what is beyond ½ in checks and preferences, and
√(2a − 1)/2 of a share a of agreeing answers, since two votes agree with probability (1 + η²)/2 and
each is right with (1 + η)/2 (`attentiveness_em`). Ties are no answers in these tests, and what is
shown is less by their share.

Also, where the study compares the target's own texts with another annotator's, by checks or by
comparisons, these have to be told by more than the margin: else another annotator's texts would
pass for the target's own as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import binom, norm
from scipy.stats import t as student

from capo_core.formatting import count, p_statement, percent
from capo_core.stats.clustered import NO_WIDTH, mean
from capo_core.stats.significance import holm
from capo_core.study.analysis.attentiveness_em import votes_of
from capo_core.study.analysis.preferences import comparisons
from capo_core.study.analysis.vote_agreement import vote_agreement
from capo_core.study.source_names import inside
from capo_core.study.tables import CHECK, COMPARISON, HUMAN, OTHER_HUMAN, PRACTICE, TIE

LEVEL = 0.001  # of guesses that pass for telling texts apart
SAME_BY_GUESSING = "judges who guess would give the same"
NOTHING = (
    "this study has no trials with a known answer, repeats, text pairs judged by several or other "
    f"preferences, so that nothing shows that its judges tell texts apart: {SAME_BY_GUESSING}"
)


@dataclass(frozen=True)
class EvidenceAgainstGuessing:
    """Evidence of one kind of trial on whether judges tell texts apart or guess.

    Attributes:
        told: the share in words, with what it is of: "83 % of 48 known answers right".
        apart: how far from ½ such judges would choose a text that is always better; at least 0,
            unless right answers are fewer than wrong ones.
        p_value: against guesses; adjusted by Holm in a `TellingApart`.
        known: whether it is of the target's own texts beside another annotator's.
    """

    told: str
    apart: float
    p_value: float
    known: bool = False


@dataclass(frozen=True)
class TellingApart:
    """Evidence of a study on whether its judges tell texts apart.

    Attributes:
        evidence: of each kind of trial that the study holds.
        margin: of equivalence, a share.
    """

    evidence: tuple[EvidenceAgainstGuessing, ...]
    margin: float

    @property
    def shown(self) -> EvidenceAgainstGuessing | None:
        """Return the clearest evidence that judges tell texts apart by more than the margin; None
        where there is none, or where they do not tell other annotators' texts."""
        if any(one.known and not one.apart > self.margin for one in self.evidence):
            return None
        clear = [one for one in self.evidence if one.p_value <= LEVEL and one.apart > self.margin]
        return min(clear, key=lambda one: one.p_value, default=None)

    @property
    def words(self) -> str:
        """Return what shows it, or why nothing does, for a note."""
        shown = self.shown
        if shown is not None:
            return f"these judges tell texts apart: {_told(shown)}"
        if not self.evidence:
            return NOTHING
        told = "; ".join(map(_told, self.evidence))
        return (
            "it is not shown that these judges tell texts apart by more than the margin "
            f"({told}): {SAME_BY_GUESSING}"
        )


def _told(one: EvidenceAgainstGuessing) -> str:
    return f"{one.told}, against guesses {p_statement(one.p_value)}"


def telling_apart(judgments: pd.DataFrame, margin: float) -> TellingApart:
    """Return what comparisons of a JUDGMENTS frame show of whether their judges tell texts apart.

    Args:
        margin: of equivalence, what has to be exceeded.

    Of twenty checks all are right, then every other one:

    >>> row = {"kind": COMPARISON, "purpose": CHECK, "mirror_of": "", "source_a": "human",
    ...        "source_b": "other_human", "judge_id": "J1", "side": "left", "truth": "a",
    ...        "answer": "a"}
    >>> checks = pd.DataFrame([row | {"trial_id": f"T{k}", "item_id": f"i{k}"} for k in range(20)])
    >>> found = telling_apart(checks, 0.1)
    >>> found.words.replace("\\xa0", " ")
    'these judges tell texts apart: 100 % of 20 known answers right, against guesses p ≤ 0.001'
    >>> telling_apart(checks.assign(answer=["a", "b"] * 10), 0.1).shown is None
    True
    """
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] != PRACTICE)]
    found = [_checks(rows), _repeats(rows), _shared(rows), *_preferences(rows)]
    evidence = [one for one in found if one is not None and not math.isnan(one.p_value)]
    adjusted = holm(np.array([one.p_value for one in evidence])) if evidence else ()
    return TellingApart(
        tuple(replace(one, p_value=float(p)) for one, p in zip(evidence, adjusted, strict=True)),
        margin,
    )


def _checks(rows: pd.DataFrame) -> EvidenceAgainstGuessing | None:
    found = rows[(rows["purpose"] == CHECK) & (rows["truth"] != "")]
    n, right = len(found), int((found["answer"] == found["truth"]).sum())
    ties = int((found["answer"] == TIE).sum())
    if not n:
        return None
    told = f"{percent(right / n)} of {count(n, 'known answer')} right"
    p = float(binom.sf(right - 1, n - ties, 0.5))
    return EvidenceAgainstGuessing(told, (right - (n - ties - right)) / (2 * n), p, known=True)


def _repeats(rows: pd.DataFrame) -> EvidenceAgainstGuessing | None:
    """Return how often a judge gave the same text the preference again, ties left out."""
    votes = votes_of(rows)
    cast = pd.DataFrame({"judge": votes.judge, "text_pair": votes.text_pair, "first": votes.first})
    both = cast[votes.repeat].merge(cast[~votes.repeat], on=["judge", "text_pair"])
    n, same = len(both), int((both["first_x"] == both["first_y"]).sum())
    if not n:
        return None
    told = f"{percent(same / n)} of {count(n, 'repeat')} answered as before"
    ties = float((rows["answer"] == TIE).mean())
    p = float(binom.sf(same - 1, n, 0.5))
    return EvidenceAgainstGuessing(told, _of_agreement(same / n) * (1 - ties), p)


def _shared(rows: pd.DataFrame) -> EvidenceAgainstGuessing | None:
    main = rows[rows["purpose"] != CHECK]
    found = vote_agreement(votes_of(main))
    if not found.pairs:
        return None
    alike, ties = found.agreeing / found.pairs, float((main["answer"] == TIE).mean())
    told = f"{percent(alike)} of {count(found.pairs, 'pair')} of votes on one text pair alike"
    p = float(norm.sf((2 * found.agreeing - found.pairs) / math.sqrt(found.pairs)))
    return EvidenceAgainstGuessing(told, _of_agreement(alike) * (1 - ties), p)


def _of_agreement(alike: float) -> float:
    """Return how far from ½ judges choose a text that is always better, by how often two of their
    votes agree."""
    return math.sqrt(max(2 * alike - 1, 0.0)) / 2


def _preferences(rows: pd.DataFrame) -> list[EvidenceAgainstGuessing]:
    """Return a preference for each pair of sources; none where judges or items are too few, or all
    answers are ties. Where one source was always chosen there is no error, and the p-value is that
    of as many coins."""
    main = comparisons(rows)
    first = np.minimum(main["source_a"].to_numpy(object), main["source_b"].to_numpy(object))
    second = np.maximum(main["source_a"].to_numpy(object), main["source_b"].to_numpy(object))
    chosen = (main["answer"] == "a").to_numpy() == (main["source_a"].to_numpy(object) == first)
    value = np.where(main["answer"] == TIE, 0.5, chosen.astype(float))
    table = main.assign(first=first, second=second, value=value)
    result = []
    for (one, other), part in table.groupby(["first", "second"], sort=True):
        found = mean(
            part["value"].to_numpy(float) - 0.5,
            part["judge_id"].to_numpy(),
            part["item_id"].to_numpy(),
        )
        if math.isnan(found.se) or (found.se <= NO_WIDTH and found.value == 0):
            continue
        named = f"{inside(one)} chosen over {inside(other)} in {percent(found.value + 0.5)}"
        told = f"{named} of {count(found.n, 'judgment')}"
        if found.se > NO_WIDTH:
            p = float(2 * student.sf(abs(found.value) / found.se, found.degrees))
        else:
            p = min(1.0, 2 * 0.5**found.n)
        known = {one, other} == {HUMAN, OTHER_HUMAN}
        result.append(EvidenceAgainstGuessing(told, abs(found.value), p, known))
    return result
