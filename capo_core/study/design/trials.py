"""The trials of a draft as rows of its tables, and the trials with a known answer.

Checks and practice trials are made of human texts, so that the right answer is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.study.config import StudyConfig
from capo_core.study.design.sources import AvailableTexts, display_text
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
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import DraftTrial


class DraftRows:
    """The trials of a draft, under random identifiers."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:
        self._rng = rng
        columns = (dataset.items[name] for name in ("item_id", "text_a", "text_b"))
        self._items = {item: texts for item, *texts in zip(*columns, strict=True)}
        self.trials: dict[str, DraftTrial] = {}
        self._text_ids: dict[str, list[str]] = {}

    def add(self, trial: DraftTrial) -> str:
        """Add a trial, its slots as in `trial.shown`, and return its identifier."""
        name = self._name("T")
        self.trials[name] = trial
        self._text_ids[name] = [self._name("X") for _ in trial.shown]
        return name

    def mirror(self, trial_id: str) -> str:
        """Return a repeat of the trial under its own identifier, the same for all judges who repeat
        it."""
        for name, trial in self.trials.items():
            if trial.mirror_of == trial_id:
                return name
        return self.add(replace(self.trials[trial_id], purpose=MIRROR, mirror_of=trial_id))

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return TRIALS, TEXTS and SEALED, in the order of their random identifiers."""
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
                        "text_a": display_text(self._items[shown.item][0]),
                        "text_b": display_text(self._items[shown.item][1]),
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
                        "truth": TRIAL_KINDS[trial.kind].coded_truth(trial),
                    }
                )
        texts.sort(key=lambda row: row["text_id"])
        return frame_of(TRIALS, trials), frame_of(TEXTS, texts), frame_of(SEALED, sealed)

    def _name(self, letter: str) -> str:
        return letter + self._rng.bytes(6).hex()


def check_trials(
    config: StudyConfig,
    material: AvailableTexts,
    purpose: str,
    count: int,
    rng: np.random.Generator,
    used: set[str],
) -> list[DraftTrial]:
    """Return `count` trials with a known answer for each kind of the study; targets take turns.

    Items that can be shown in fewest other ways are used first, so that the others are left for
    the main trials.

    Args:
        used: items that are used already; those used here are added.

    Raises:
        ConfigError: there are too few items with such texts.
    """
    order = _least_useful(config, material, rng)
    trials = []
    for kind in config.kinds:
        start = int(rng.integers(len(material.targets)))
        for number in range(count):
            target = material.targets[(start + number) % len(material.targets)]
            free = (item for item in order if item not in used)
            trial = TRIAL_KINDS[kind].make_check(config, material, purpose, target, free, rng, used)
            if trial is None:
                raise ConfigError(
                    f"there are not enough human texts for {count} {purpose} trials of {kind}",
                    where=config.name,
                    expected=f"items that annotator {target!r} explained, beside those used",
                    todo="ask for fewer of them, take smaller pools, or add items",
                )
            trials.append(trial)
    return trials


def _least_useful(
    config: StudyConfig, material: AvailableTexts, rng: np.random.Generator
) -> list[str]:
    strata = [stratum for kind in config.kinds for stratum in config.strata_of(kind)]
    ways = {
        item: sum(
            bool(material.options(stratum, target, item))
            for stratum in strata
            for target in material.targets
        )
        for item in material.items
    }
    chance = dict(zip(material.items, rng.random(len(material.items)), strict=True))
    return sorted(material.items, key=lambda item: (ways[item], chance[item]))


def practice_splits(split: str, parts: Iterable[str]) -> Iterator[str]:
    """Yield the splits that practice may come from, the best first.

    The validation part is held out too, and taking from it leaves the study's items alone.
    """
    if split != "validation" and "validation" in parts:
        yield "validation"
    yield split
