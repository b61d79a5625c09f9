"""How long a study keeps a judge: words read at a stated speed, and time to decide."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from capo_core.errors import ConfigError
from capo_core.study.design import Draft
from capo_core.study.tables import from_cell
from capo_core.text.tokens import words


@dataclass(frozen=True)
class Pace:
    """What is assumed of a judge; say it wherever the minutes are shown.

    Attributes:
        words_per_minute: silent reading; adults read English non-fiction at 238 on average
            (Brysbaert 2019, Journal of Memory and Language 109), with care somewhat less.
        decision_s: seconds to decide and press, per trial.
        card_share: the share of a trial's cards that is read again; all are read once.
    """

    words_per_minute: float = 200.0
    decision_s: float = 8.0
    card_share: float = 0.25

    def __post_init__(self) -> None:
        fine = self.words_per_minute > 0 and self.decision_s >= 0 and 0 <= self.card_share <= 1
        if not fine:
            raise ConfigError(
                "the pace cannot be used",
                where=str(self),
                expected="more than 0 words a minute, seconds of 0 or more, a share from 0 to 1",
            )

    def minutes(self, words_read: float, trials: int) -> float:
        return words_read / self.words_per_minute + trials * self.decision_s / 60


PACE = Pace()


def words_per_trial(draft: Draft, pace: Pace = PACE) -> pd.Series:
    """Words a judge reads in each trial: item, texts, and what is looked up again on the cards.

    Returns:
        Index trial_id; the cards of a comparison are the target's, of an attribution all.
    """
    texts = {
        row.text_id: (
            len(words(row.text_a)) + len(words(row.text_b)),
            len(words(row.label)) + len(words(row.explanation)),
        )
        for row in draft.texts.itertuples()
    }
    cards = card_words(draft)
    everyone = sum(cards.values())
    found = {}
    for row in draft.trials.itertuples():
        ids = from_cell(row.text_ids)
        items = len(ids) if row.kind == "attribution" else 1  # both texts are on one item
        read = sum(texts[name][0] for name in ids[:items]) + sum(texts[name][1] for name in ids)
        shown = {"attribution": everyone, "comparison": cards.get(row.target_annotator_id, 0)}
        found[row.trial_id] = read + pace.card_share * shown.get(row.kind, 0)
    return pd.Series(found, dtype=float)


def card_words(draft: Draft) -> dict[str, int]:
    """Words on each annotator's card."""
    return {
        row.annotator_id: sum(len(words(text)) for one in from_cell(row.examples) for text in one)
        for row in draft.cards.itertuples()
    }


def minutes_per_judge(draft: Draft, pace: Pace = PACE) -> pd.Series:
    """Minutes for each judge slot: the cards once, then all trials."""
    per_trial = words_per_trial(draft, pace)
    once = sum(card_words(draft).values())
    found = {}
    for judge, rows in draft.assignments.groupby("judge_slot"):
        read = once + float(per_trial[rows["trial_id"]].sum())
        found[str(judge)] = pace.minutes(read, len(rows))
    return pd.Series(found, dtype=float)
