"""The best point between what is gained and what is forgotten, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capo_core.evaluation.retention import GENERAL, IMITATION, OTHERS, OWN, Best
from capo_core.evaluation.retention_scores import Figures, Point, Scored
from capo_core.evaluation.scores import DRAWS
from capo_core.stability.intervals import bayesian_weights


def kept_by(scored: Scored) -> str:
    """The measure that says what is kept: of general text, where there is some."""
    return GENERAL if GENERAL in scored.unit else OTHERS


def best_of(points: Sequence[Point], found: Figures, scored: Scored) -> Best | None:
    """The point with the highest score (see `retention.Best`), the first of equals.

    None where it is not defined: the classifier does not give the target's own texts to the
    target more often than a guess, or no point is above a guess.
    """
    name = kept_by(scored)
    imitated, kept, score = _scores(points, found, scored, name, None, None)
    if not np.isfinite(score[0]).all() or score[0].max() <= 0:
        return None
    best = int(score[0].argmax())
    won = 0
    rng = np.random.default_rng(0x0BE57)
    n_items = found.hits.shape[1]
    # Others' responses are on the same items; general text has passages of its own.
    same = name != GENERAL
    n_units = scored.n_units[name]
    for weights in bayesian_weights(rng, DRAWS, n_items + (0 if same else n_units)):
        items, units = weights[:, :n_items], weights if same else weights[:, n_items:]
        drawn = _scores(points, found, scored, name, items, units)[2]
        # A draw in which nothing is defined has no best point.
        won += int((np.nan_to_num(drawn, nan=-1.0).argmax(axis=1)[drawn.max(axis=1) > 0]
                    == best).sum())  # fmt: skip
    point = points[best]
    return Best(point.stage, point.strength, point.at, float(score[0, best]),
                float(imitated[0, best]), float(kept[0, best]), won / DRAWS)  # fmt: skip


def _scores(points, found: Figures, scored: Scored, name: str, items, units):
    """I, R and their harmonic mean, each [draws, points]; NaN where they are not defined."""
    n_items = found.hits.shape[1]
    items = np.ones((1, n_items)) if items is None else items
    units = np.ones((1, scored.n_units[name])) if units is None else units
    there = np.isfinite(found.own)
    own = items[:, there] @ found.own[there] / items[:, there].sum(axis=1)
    room = own - found.chance
    share = items @ found.hits.T / items.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        imitated = np.where(room[:, None] > 0, (share - found.chance) / room[:, None], np.nan)
        imitated = np.clip(imitated, 0.0, 1.0)
        by_response = units[:, scored.unit[name]]
        tokens = by_response @ scored.tokens[name]
        logs = np.stack([by_response @ point.log_probs[name] for point in points], axis=1)
        nats = -logs / tokens[:, None]
        kept = np.minimum(1.0, np.exp(nats[:, :1] - nats))
        score = 2 * imitated * kept / (imitated + kept)
    return imitated, kept, score


def sentence(
    best: Best | None, frame: pd.DataFrame, lines: pd.DataFrame, name: str, general: str
) -> str:
    """What was gained and lost at the end of the way, and where the best point is."""
    rows = frame.set_index(["at", "measure"])
    end = float(frame["at"].max())
    ends = {1.0: "SFT", 2.0: "CAPO"}[end]
    given, own, lost = (rows.loc[(end, measure)] for measure in (IMITATION, OWN, name))
    ceiling = lines[(lines["measure"] == IMITATION) & (lines["line"] == "ceiling")]
    shown = ""
    if len(ceiling):
        more = given.low > ceiling.iloc[0].value
        shown = f" (of its own texts {100 * ceiling.iloc[0].value:.0f} %"
        shown += ", so that the model is more typical than the human)" if more else ")"
    what = general if name == GENERAL else "what other annotators wrote"
    text = (
        f"At full strength of {ends}, {100 * given.value:.0f} % [{100 * given.low:.0f}–"
        f"{100 * given.high:.0f}] of the explanations are given to the target{shown}, and what "
        f"the target wrote has {own.change:.2f} times [{own.change_low:.2f}–"
        f"{own.change_high:.2f}] the base's perplexity. That of {what} is {lost.change:.2f} times "
        f"[{lost.change_low:.2f}–{lost.change_high:.2f}] the base's"
    )
    text += (
        ", so that something was forgotten" if lost.change_low > 1 else ": no forgetting is shown"
    )
    if best is None:
        return text + (
            ". There is no best point: the classifier gives no more to the target than a guess "
            "would."
        )
    stage = "SFT" if best.stage == "sft" else "CAPO, between SFT and CAPO"
    where = "the base" if best.at == 0 else f"strength {best.strength:g} of {stage}"
    return text + (
        f". The best point between the two is {where} (imitation {best.imitation:.2f} of the way "
        f"from a guess to the target, {best.kept:.2f} of the base kept); it is the best in "
        f"{100 * best.support:.0f} % of draws over items."
    )
