"""What identifies a judge's attentiveness, and what to say where nothing does."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from capo_core.study.em_votes import Votes

NEAR_HALF = 0.05  # |μ − ½| below which choices alone say nothing about attentiveness
MIN_VOTES = 10  # with fewer votes of one judge an estimate would say more than there is to know
WIDE = 0.9  # an interval wider than this fits almost any attentiveness

TOO_FEW = "too few to say"
CANNOT_TELL = "cannot tell"
PRODUCT = (
    "From choices alone only the product of attentiveness and (μ − ½) is identified, μ being how "
    "often the stronger source's text is the better one: a careless judge of clearly different "
    "sources looks like a careful judge of similar ones."
)


def identified(votes: Votes, informative: np.ndarray) -> np.ndarray:
    """bool [judges]: do the votes identify each judge's attentiveness, without a belief about μ?

    Two judges who meet on a matter agree with probability (1 + η_u η_v)/2, so that every pair who
    meet gives one product. Products determine their factors exactly in those connected parts of
    the graph of judges which hold a cycle of odd length; a judge with checks or repeats (or whose
    matters have a known μ away from ½) is a cycle of length one. A part without an odd cycle can be
    coloured in two colours, and then the one colour's attentiveness can be traded for the other's.

    Args:
        informative: bool [pairs], is μ of the pair given and away from one half?
    """
    n_judges, n_matters = len(votes.judges), len(votes.matters)
    cast = sparse.csr_matrix(
        (np.ones(votes.n), (votes.judge, votes.matter)), shape=(n_judges, n_matters)
    )
    meet = (cast > 0).astype(float)
    meet = meet @ meet.T
    meet.setdiag(0)
    told = ~np.isnan(votes.known) | np.append(informative, False)[votes.pair]
    anchored = votes.per_judge(told[votes.matter]) > 0
    twice = cast.copy()
    twice.data = (twice.data >= 2).astype(float)
    anchored |= np.asarray(twice.sum(axis=1)).ravel() > 0
    meet = meet + sparse.diags(anchored.astype(float))
    cover = sparse.bmat([[None, meet], [meet, None]])  # two copies of each judge, one per colour
    _n, part = connected_components(cover, directed=False)
    return part[:n_judges] == part[n_judges:]


def verdicts(
    n: np.ndarray, known: np.ndarray, why_not: np.ndarray, width: np.ndarray
) -> tuple[list[str], list[str]]:
    """A verdict ("" where there is an estimate to use) and its reason, one a judge.

    Args:
        n: votes of each judge. known: is η identified, by votes or by a belief about μ?
        why_not: reason where it is not. width: of its interval.
    """
    said, why = [], []
    for votes, fine, reason, wide in zip(n, known, why_not, width, strict=True):
        if votes < MIN_VOTES:
            said.append(TOO_FEW)
            why.append(f"{votes} of the {MIN_VOTES} votes without tie that an estimate needs")
        elif not fine:
            said.append(CANNOT_TELL)
            why.append(reason)
        elif wide > WIDE:
            said.append(CANNOT_TELL)
            why.append("these votes fit almost any attentiveness")
        else:
            said.append("")
            why.append("")
    return said, why


def sentences(judges: pd.DataFrame, basis: str, n_ties: int, repeats: int) -> tuple[str, ...]:
    """What a reader must know before using the table of judges."""
    words = []
    if basis == "votes":
        words.append(
            "Judges meet on the same texts, or answered checks or mirrored repeats: attentiveness "
            "is identified by how far they agree, without knowing μ."
        )
    elif basis == "belief":
        words += [PRODUCT, "The attentiveness shown rests on what you said μ is."]
    else:
        words += [PRODUCT, "Nothing here identifies attentiveness: no text pair was judged by "
                  "three judges who meet, there are no checks or mirrored repeats, and μ was not "
                  "given or lies near one half."]  # fmt: skip
    for verdict in (TOO_FEW, CANNOT_TELL):
        named = judges.loc[judges["verdict"] == verdict, "judge_id"].tolist()
        if named:
            words.append(f"{verdict.capitalize()} for {len(named)}: {', '.join(named)}.")
    if n_ties:
        words.append(
            f"{n_ties} answer{'s' if n_ties > 1 else ''} 'tie' tell nothing of attentiveness in "
            "this model and are left out of it; they count in all other results."
        )
    if repeats:
        words.append(
            "A repeat is taken as answered afresh; a judge who remembers the first answer looks "
            "more attentive than they are."
        )
    words.append("Nobody is dropped: raw and weighted results stand side by side.")
    return tuple(words)
