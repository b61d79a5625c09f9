"""Rows of a draft as they are made: a trial, its texts, and what is sealed about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.study.sources import Text, as_shown
from capo_core.study.tables import (
    MAIN,
    MIRROR,
    PRACTICE,
    SEALED,
    TEXTS,
    TRIALS,
    as_cell,
    frame_of,
)

_CHOICES = ("a", "b")


@dataclass(frozen=True)
class Shown:
    """A text in its slot, on the item that it answers (or, in a check, is said to answer)."""

    item: str
    source: str
    text: Text


@dataclass(frozen=True)
class Trial:
    """A trial with everything about it; `Rows` takes it apart into what is shown and what sealed.

    Attributes:
        target: whom the question names; "" for attribution.
        truth: the right answer; of a comparison the *source* that is right, before the two are
            put into slots; "" where there is none.
        mirror_of: the trial's id that it repeats.
    """

    kind: str
    purpose: str
    target: str
    shown: tuple[Shown, ...]
    truth: str = ""
    mirror_of: str = ""


class Rows:
    """The trials of a draft, under random names that tell nothing."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:
        self._rng = rng
        columns = (dataset.items[name] for name in ("item_id", "text_a", "text_b"))
        self._items = {item: texts for item, *texts in zip(*columns, strict=True)}
        self.trials: dict[str, Trial] = {}
        self._text_ids: dict[str, list[str]] = {}

    def add(self, trial: Trial) -> str:
        """Take a trial; its name. Slots are as in `trial.shown`."""
        name = self._name("T")
        self.trials[name] = trial
        self._text_ids[name] = [self._name("X") for _ in trial.shown]
        return name

    def mirror(self, trial_id: str) -> str:
        """The trial once more under names of its own; the same for all judges who repeat it."""
        for name, trial in self.trials.items():
            if trial.mirror_of == trial_id:
                return name
        return self.add(replace(self.trials[trial_id], purpose=MIRROR, mirror_of=trial_id))

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """TRIALS, TEXTS and SEALED, in the order of their random names."""
        trials, texts, sealed = [], [], []
        for name, trial in sorted(self.trials.items()):
            ids = self._text_ids[name]
            trials.append(
                {
                    "trial_id": name,
                    "kind": trial.kind,
                    "phase": PRACTICE if trial.purpose == PRACTICE else MAIN,
                    "item_id": trial.shown[0].item,
                    "target_annotator_id": trial.target,
                    "text_ids": as_cell(ids),
                }
            )
            for slot, (text_id, shown) in enumerate(zip(ids, trial.shown, strict=True)):
                texts.append(
                    {
                        "text_id": text_id,
                        "item_id": shown.item,
                        "text_a": as_shown(self._items[shown.item][0]),
                        "text_b": as_shown(self._items[shown.item][1]),
                        "label": shown.text.label,
                        "explanation": shown.text.explanation,
                    }
                )
                sealed.append(
                    {
                        "trial_id": name,
                        "slot": slot,
                        "text_id": text_id,
                        "source": shown.source,
                        "annotator_id": shown.text.annotator_id,
                        "run_id": shown.text.run_id,
                        "purpose": trial.purpose,
                        "mirror_of": trial.mirror_of,
                        "truth": answer_of(trial),
                    }
                )
        texts.sort(key=lambda row: row["text_id"])
        return frame_of(TRIALS, trials), frame_of(TEXTS, texts), frame_of(SEALED, sealed)

    def _name(self, letter: str) -> str:
        return letter + self._rng.bytes(6).hex()


def answer_of(trial: Trial) -> str:
    """The right answer as judgments code it; "" where there is none."""
    if trial.kind != "comparison" or not trial.truth:
        return trial.truth
    return _CHOICES[[shown.source for shown in trial.shown].index(trial.truth)]


def in_slots(rng: np.random.Generator, shown: Sequence[Shown]) -> tuple[Shown, ...]:
    """Two texts of a comparison in random slots, so that no slot stands for a source."""
    return tuple(shown[i] for i in rng.permutation(len(shown)))
