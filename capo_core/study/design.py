"""From a design to a draft: texts drawn, trials made, judges' sequences laid out, all by a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.history import parts
from capo_core.study import sources
from capo_core.study.cards import card_explanations, reference_cards
from capo_core.study.config import Stratum, StudyConfig
from capo_core.study.judges import Assigning
from capo_core.study.known import NOTES, known_trials, practice_part
from capo_core.study.layout import Layout, lay_out
from capo_core.study.leak_text import Marks, marks_of
from capo_core.study.rows import Rows, Shown, Trial, answer_of, in_slots
from capo_core.study.sources import LeftOut, Material
from capo_core.study.tables import (
    ASSIGNMENTS,
    ATTRIBUTION,
    CHECK,
    COMPARISON,
    FEEDBACK,
    HUMAN,
    MAIN,
    OTHER_HUMAN,
    PRACTICE,
    REASONING,
    frame_of,
)
from capo_core.workspace import Workspace


@dataclass(frozen=True)
class Draft:
    """Everything of a study before it is frozen; tables as in `tables`.

    Attributes:
        left_out: texts that could not be shown, counted by source, target and reason.
        notes: what the owner should know of this design, in sentences.
    """

    config: StudyConfig
    fingerprint: str
    trials: pd.DataFrame
    texts: pd.DataFrame
    cards: pd.DataFrame
    assignments: pd.DataFrame
    sealed: pd.DataFrame
    feedback: pd.DataFrame
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def draw(workspace: Workspace, config: StudyConfig) -> Draft:
    """The study that the design asks for; the same design and data give the same draft.

    Raises:
        ConfigError: the numbers cannot be balanced, or the items do not suffice; it says what can
            be done.
        DataError, RunError: the dataset or a run is not there, or a run answered other data.
    """
    return drawn_from(workspace, Catalog(workspace).load(config.dataset), config)


def drawn_from(workspace: Workspace, dataset: Dataset, config: StudyConfig) -> Draft:
    """As `draw`, from a dataset that is loaded already."""
    cards = reference_cards(dataset, config.card_examples, config.seed)
    marks = marks_for(dataset, config, cards)
    material = sources.collect(workspace, dataset, config, marks)
    spare = [
        material if part == config.split else sources.people(dataset, config, part, marks)
        for part in practice_part(config.split, parts(dataset))
    ]
    return assemble(dataset, config, cards, material, spare)


def assemble(
    dataset: Dataset,
    config: StudyConfig,
    cards: pd.DataFrame,
    material: Material,
    spare: Sequence[Material],
) -> Draft:
    """The draft, once it is known what can be shown.

    Args:
        spare: where practice may come from, the best first; `material` itself may be among them.

    Raises:
        ConfigError: as `draw`.
    """
    rows = Rows(dataset, np.random.default_rng([config.seed, 31]))
    rng = np.random.default_rng([config.seed, 32])
    taken: set[str] = set()
    checks = known_trials(config, material, CHECK, config.checks, rng, taken)
    practice = _practice(config, material, spare, rng, taken)
    layout = lay_out(config, material, taken)
    assigning = Assigning(config, rows, dataset.annotators)
    assigning.known([rows.add(trial) for trial in practice], [rows.add(trial) for trial in checks])
    hands = _main(config, material, layout, rows, rng)
    assignments = frame_of(ASSIGNMENTS, assigning.rows(layout.judges, hands))
    trials, texts, sealed = rows.frames()
    feedback = [
        {"trial_id": name, "answer": answer_of(trial), "note": NOTES[trial.kind]}
        for name, trial in sorted(rows.trials.items())
        if trial.purpose == PRACTICE
    ]
    return Draft(
        config, dataset.fingerprint, trials, texts, cards, assignments, sealed,
        frame_of(FEEDBACK, feedback), material.left_out,
        _notes(config, dataset, material, layout),
    )  # fmt: skip


def marks_for(dataset: Dataset, config: StudyConfig, cards: pd.DataFrame) -> Marks:
    """What the texts of this study are looked through for."""
    runs = [run for ids in config.methods.values() for run in ids]
    return marks_of(dataset, [*config.methods, *runs], card_explanations(cards))


def _practice(
    config: StudyConfig,
    material: Material,
    spare: Sequence[Material],
    rng: np.random.Generator,
    taken: set[str],
) -> list[Trial]:
    """Practice trials, from the first of `spare` that has enough texts."""
    problem: ConfigError | None = None
    for found in spare:
        used = taken if found is material else set(taken)
        try:
            return known_trials(config, found, PRACTICE, config.practice, rng, used)
        except ConfigError as error:
            problem = error
    raise problem or ConfigError("there is nothing to practise on", where=config.name)


def _main(
    config: StudyConfig,
    material: Material,
    layout: Layout,
    rows: Rows,
    rng: np.random.Generator,
) -> Mapping[tuple[int, Stratum], list[tuple[str, str]]]:
    """The main trials: (layer, stratum) → (trial, target), texts chosen among the options.

    Where several texts would do (other annotators', samples), those of the writer and run shown
    least so far come first.
    """
    shown_so_far: Counter[tuple] = Counter()
    made: dict[tuple[int, Stratum], list[tuple[str, str]]] = {}
    for planned in layout.trials:
        stratum, shown = planned.stratum, []
        named = stratum.sources + ((HUMAN,) if stratum.kind == REASONING else ())
        for item in planned.items:
            options = material.options(stratum, planned.target, item)
            keys = [
                (stratum, planned.target, *((t.annotator_id, t.run_id) for t in texts))
                for texts in options
            ]
            chance = rng.random(len(options))
            best = min(range(len(options)), key=lambda i: (shown_so_far[keys[i]], chance[i]))
            shown_so_far[keys[best]] += 1
            shown += [Shown(item, s, t) for s, t in zip(named, options[best], strict=True)]
        attribution = stratum.kind == ATTRIBUTION
        trial = Trial(
            stratum.kind,
            MAIN,
            "" if attribution else planned.target,
            in_slots(rng, shown) if stratum.kind == COMPARISON else tuple(shown),
            planned.target if attribution else "",
        )
        made.setdefault((planned.layer, stratum), []).append((rows.add(trial), planned.target))
    return made


def _notes(
    config: StudyConfig, dataset: Dataset, material: Material, layout: Layout
) -> tuple[str, ...]:
    notes = []
    if ATTRIBUTION in config.kinds and OTHER_HUMAN in config.sources:
        notes.append(
            "Attribution does not draw other_human: each human text has its own writer as answer."
        )
    if REASONING in config.kinds and HUMAN in config.sources:
        notes.append(
            "Reasoning does not draw human: texts are held against the target's own, so there is "
            "no ceiling in it; other_human is the floor."
        )
    fewer = len(material.targets) < len(dataset.annotators)
    if ATTRIBUTION in config.kinds and fewer:
        notes.append(
            f"Cards show all {len(dataset.annotators)} annotators, texts are of "
            f"{len(material.targets)} targets: judges may come to see that some are never right."
        )
    if config.repeats < round(config.repeats_share * config.trials_per_judge):
        notes.append(f"{config.repeats} repeats of each kind: more would not lie far apart.")
    if len(layout.judges) > 1:
        notes.append(
            f"The items are used in {len(layout.judges)} layers of judges "
            f"({', '.join(map(str, layout.judges))}), under another source or target in each."
        )
    if dataset.simulated:
        notes.append("The dataset is simulated: no person wrote its 'human' texts.")
    return tuple(notes)
