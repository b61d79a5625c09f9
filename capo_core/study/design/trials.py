"""Rows of a draft as they are made: a trial, its texts, and what is sealed about them.

Trials whose right answer is known, made of human texts: checks and practice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.study.config import Stratum, StudyConfig
from capo_core.study.design.sources import AvailableTexts, SourceText, display_text
from capo_core.study.tables import (
    ATTRIBUTION,
    COMPARISON,
    HUMAN,
    MAIN,
    MIRROR,
    OTHER_HUMAN,
    PRACTICE,
    REASONING,
    SEALED,
    TEXTS,
    TRIALS,
    as_cell,
    frame_of,
)
from capo_core.text.tokens import normalise

_CHOICES = ("a", "b")


@dataclass(frozen=True)
class PlacedText:
    """A text in its slot, on the item that it answers (or, in a check, is said to answer)."""

    item: str
    source: str
    text: SourceText


@dataclass(frozen=True)
class DraftTrial:
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
    shown: tuple[PlacedText, ...]
    truth: str = ""
    mirror_of: str = ""


class DraftRows:
    """The trials of a draft, under random names that tell nothing."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:
        self._rng = rng
        columns = (dataset.items[name] for name in ("item_id", "text_a", "text_b"))
        self._items = {item: texts for item, *texts in zip(*columns, strict=True)}
        self.trials: dict[str, DraftTrial] = {}
        self._text_ids: dict[str, list[str]] = {}

    def add(self, trial: DraftTrial) -> str:
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
                        "truth": coded_truth(trial),
                    }
                )
        texts.sort(key=lambda row: row["text_id"])
        return frame_of(TRIALS, trials), frame_of(TEXTS, texts), frame_of(SEALED, sealed)

    def _name(self, letter: str) -> str:
        return letter + self._rng.bytes(6).hex()


def coded_truth(trial: DraftTrial) -> str:
    """The right answer as judgments code it; "" where there is none."""
    if trial.kind != "comparison" or not trial.truth:
        return trial.truth
    return _CHOICES[[shown.source for shown in trial.shown].index(trial.truth)]


def shuffle_slots(rng: np.random.Generator, shown: Sequence[PlacedText]) -> tuple[PlacedText, ...]:
    """Two texts of a comparison in random slots, so that no slot stands for a source."""
    return tuple(shown[i] for i in rng.permutation(len(shown)))


UNRELATED = "1"  # the right answer where a text argues about another item

NOTES = {
    ATTRIBUTION: "That annotator wrote it.",
    COMPARISON: "That text is the annotator's own; the other is somebody else's.",
    REASONING: "This explanation was written about something else: it does not reason alike.",
}


def check_trials(
    config: StudyConfig,
    material: AvailableTexts,
    purpose: str,
    count: int,
    rng: np.random.Generator,
    taken: set[str],
) -> list[DraftTrial]:
    """`count` trials of each kind of the study; targets take turns.

    Attribution: the target's own texts; comparison: the target's own text against another
    annotator's on the same item; reasoning: another annotator's text on *another* item, held
    against the target's own. Items that can be shown in fewest other ways are used first, so that
    the others are left for the main trials.

    Args:
        taken: items that are used already; those used here are added.

    Raises:
        ConfigError: there are too few items with such texts.
    """
    order = _least_useful(config, material, rng)
    trials = []
    for kind in config.kinds:
        make = {ATTRIBUTION: _attribution, COMPARISON: _comparison, REASONING: _reasoning}[kind]
        start = int(rng.integers(len(material.targets)))
        for number in range(count):
            target = material.targets[(start + number) % len(material.targets)]
            free = (item for item in order if item not in taken)
            trial = make(config, material, purpose, target, free, rng, taken)
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


def _attribution(config, material, purpose, target, free, rng, taken) -> DraftTrial | None:
    found = []
    for item in free:
        texts = material.texts.get((HUMAN, target, item), ())
        if texts:
            found.append(PlacedText(item, HUMAN, texts[int(rng.integers(len(texts)))]))
        if len(found) == config.pool:
            taken |= {shown.item for shown in found}
            return DraftTrial(ATTRIBUTION, purpose, "", tuple(found), truth=target)
    return None


def _comparison(config, material, purpose, target, free, rng, taken) -> DraftTrial | None:
    both = Stratum(COMPARISON, (HUMAN, OTHER_HUMAN))
    for item in free:
        options = material.options(both, target, item)
        if options:
            taken.add(item)
            texts = options[int(rng.integers(len(options)))]
            shown = [PlacedText(item, s, text) for s, text in zip(both.sources, texts, strict=True)]
            return DraftTrial(COMPARISON, purpose, target, shuffle_slots(rng, shown), truth=HUMAN)
    return None


def _reasoning(config, material, purpose, target, free, rng, taken) -> DraftTrial | None:
    """The item is the target's; the text comes from another, which is used up as well."""
    item, own = "", None
    for candidate in free:
        mine = material.texts.get((HUMAN, target, candidate), ())
        others = material.texts.get((OTHER_HUMAN, target, candidate), ())
        if own is None and mine:
            item, own = candidate, mine[int(rng.integers(len(mine)))]
        elif own is not None and others:
            text = others[int(rng.integers(len(others)))]
            if normalise(text.explanation) == normalise(own.explanation):
                continue
            taken |= {item, candidate}
            shown = (PlacedText(item, OTHER_HUMAN, text), PlacedText(item, HUMAN, own))
            return DraftTrial(REASONING, purpose, target, shown, truth=UNRELATED)
    return None


def practice_splits(split: str, parts: Iterable[str]) -> Iterator[str]:
    """The parts of the data that practice may come from, the best first.

    The validation part is held out too, and taking from it leaves the study's items alone.
    """
    if split != "validation" and "validation" in parts:
        yield "validation"
    yield split
