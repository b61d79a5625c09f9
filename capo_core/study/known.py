"""Trials whose right answer is known, made of human texts: checks and practice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from capo_core.errors import ConfigError
from capo_core.study.config import Stratum, StudyConfig
from capo_core.study.rows import Shown, Trial, in_slots
from capo_core.study.sources import Material
from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, OTHER_HUMAN, REASONING
from capo_core.text.tokens import normalise

UNRELATED = "1"  # the right answer where a text argues about another item

NOTES = {
    ATTRIBUTION: "That annotator wrote it.",
    COMPARISON: "That text is the annotator's own; the other is somebody else's.",
    REASONING: "This explanation was written about something else: it does not reason alike.",
}


def known_trials(
    config: StudyConfig,
    material: Material,
    purpose: str,
    count: int,
    rng: np.random.Generator,
    taken: set[str],
) -> list[Trial]:
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


def _least_useful(config: StudyConfig, material: Material, rng: np.random.Generator) -> list[str]:
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


def _attribution(config, material, purpose, target, free, rng, taken) -> Trial | None:
    found = []
    for item in free:
        texts = material.texts.get((HUMAN, target, item), ())
        if texts:
            found.append(Shown(item, HUMAN, texts[int(rng.integers(len(texts)))]))
        if len(found) == config.pool:
            taken |= {shown.item for shown in found}
            return Trial(ATTRIBUTION, purpose, "", tuple(found), truth=target)
    return None


def _comparison(config, material, purpose, target, free, rng, taken) -> Trial | None:
    both = Stratum(COMPARISON, (HUMAN, OTHER_HUMAN))
    for item in free:
        options = material.options(both, target, item)
        if options:
            taken.add(item)
            texts = options[int(rng.integers(len(options)))]
            shown = [Shown(item, s, text) for s, text in zip(both.sources, texts, strict=True)]
            return Trial(COMPARISON, purpose, target, in_slots(rng, shown), truth=HUMAN)
    return None


def _reasoning(config, material, purpose, target, free, rng, taken) -> Trial | None:
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
            shown = (Shown(item, OTHER_HUMAN, text), Shown(item, HUMAN, own))
            return Trial(REASONING, purpose, target, shown, truth=UNRELATED)
    return None


def practice_part(split: str, parts: Iterable[str]) -> Iterator[str]:
    """The parts of the data that practice may come from, the best first.

    The validation part is held out too, and taking from it leaves the study's items alone.
    """
    if split != "validation" and "validation" in parts:
        yield "validation"
    yield split
