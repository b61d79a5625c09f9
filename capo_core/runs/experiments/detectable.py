"""The smallest differences that an experiment can show with its items, annotators and seeds, before
it starts.

The formula is that of `stats.power.PairedDesign`. How often exactly one of two methods is right on
an answer, and how alike that is for the annotators of one item, is taken from experiments on people
(`IMITATION`, `LABELS`); of labels, from the annotators themselves where three of them labelled the
same training items: one is the target and two others stand for methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.labels import own_labels
from capo_core.evaluation.table import TableConfig
from capo_core.formatting import Statement
from capo_core.imitation.generation.requests import sampled_items
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.stats.power import PairedDesign, items_for_equivalence

# Share of answers that exactly one of two methods has right, and correlations of this difference
# between annotators of one item and between seeds. Measured on VariErr with SmolLM2 (five methods,
# four annotators, 100 test items): attribution of single explanations .30 to .60 and −.06 to .05,
# labels .16 to .25 between methods and .2 to .4. That of seeds is not measured but set high.
IMITATION = (0.4, 0.05, 0.5)
LABELS = (0.25, 0.3, 0.5)
_LEAST = 0.1  # of people's own share, where they hardly differ


@dataclass(frozen=True)
class DetectablePlan:
    """The differences that an experiment can be expected to show.

    Attributes:
        items, labelled: items that will be answered, and the fewest that an annotator labelled.
        targets, seeds: numbers.
        comparisons: that share a correction: methods among each other, with people and other
            people.
        imitation, labels: smallest difference of two methods found with 80 % power, in attribution
            of single explanations and label accuracy; NaN where nothing can be significant.
        discordant: share of answers that exactly one of two methods has right, assumed for labels;
            `measured` where it is from the annotators.
        margin, equivalence_items: items for one annotator that equivalence within the margin takes
            (single explanations; 80 % power where method and human do not differ).
    """

    items: int
    labelled: int
    targets: int
    seeds: int
    comparisons: int
    imitation: float
    labels: float
    discordant: float
    measured: bool
    margin: float
    equivalence_items: int

    def to_dict(self) -> dict:
        """Return the plan for JSON; undefined numbers are None."""
        values = dict(vars(self))
        for name in ("imitation", "labels"):
            values[name] = values[name] if math.isfinite(values[name]) else None
        return {**values, "sentence": self.statement.text}

    @property
    def statement(self) -> Statement:
        """The plan as a sentence."""
        if self.items == 0:
            return Statement.plain("plan", "No item will be answered, so nothing can be shown.")
        design = "{items:count item} × {targets:count annotator} × {seeds:count seed}"
        values = dict(vars(self))
        if math.isnan(self.imitation):
            template = (
                f"With {design} no difference between two methods can become significant "
                "({comparisons:count comparison}, Holm-corrected): these are too few items."
            )
            return Statement("plan", template, values)
        labels = (
            " and of about {labels:points} in label accuracy"
            if math.isfinite(self.labels)
            else " (none in label accuracy, on {labelled:,} labelled items)"
        )
        equivalence = (
            " Equivalence with the human within ±{margin:points} takes about {equivalence_items:,} "
            "items per annotator"
        )
        enough = self.items >= self.equivalence_items
        equivalence += "." if enough else ": more than these."
        return Statement(
            "plan",
            f"What these items can show: with {design}, a difference between two methods of about "
            "{imitation:points} or more in attribution of single explanations"
            f"{labels} will be found with 80 % power ({{comparisons:count comparison}}, "
            f"Holm-corrected).{equivalence}",
            values,
        )


def detectable_plan(config: ExperimentConfig, dataset: Dataset) -> DetectablePlan:
    """Return what the experiment can be expected to show on this dataset.

    Raises:
        ConfigError: the dataset has no items in the split that is to be answered.
    """
    seeds, methods, targets = len(config.seeds), len(config.methods), len(config.targets)
    answered = sampled_items(dataset, config.generate_config(config.methods[0], config.seeds[0]))
    ids = tuple(item.item_id for item in answered)
    labelled = min(
        (sum(map(bool, own_labels(dataset, ids, target))) for target in config.targets), default=0
    )
    comparisons = math.comb(methods, 2) + 2 * methods
    found = _people_differ(dataset)
    discordant = max(_LEAST, found) if math.isfinite(found) else LABELS[0]
    margin = TableConfig.from_dict({**TableConfig().to_dict(), **config.evaluate}).margin
    return DetectablePlan(
        len(ids),
        labelled,
        targets,
        seeds,
        comparisons,
        _smallest(len(ids), targets, seeds, comparisons, IMITATION),
        _smallest(labelled, targets, seeds, comparisons, (discordant, *LABELS[1:])),
        discordant,
        math.isfinite(found),
        margin,
        items_for_equivalence(math.sqrt(IMITATION[0]), margin),
    )


def _smallest(
    items: int, targets: int, seeds: int, comparisons: int, assumed: tuple[float, float, float]
) -> float:
    if not items:
        return math.nan
    discordant, between_targets, between_seeds = assumed
    design = PairedDesign(
        items, targets, seeds, math.sqrt(discordant), between_targets, between_seeds
    )
    return design.smallest_difference(comparisons=comparisons)


def _people_differ(dataset: Dataset) -> float:
    """Return how often exactly one of two annotators gives a third one's label on a training item.

    NaN where no three annotators labelled one.
    """
    split = dataset.items.set_index("item_id")["split"]
    ids = tuple(split.index[split == "train"])
    given = [own_labels(dataset, ids, annotator) for annotator in dataset.annotators]
    found = []
    for item in range(len(ids)):
        there = [labels[item] for labels in given if labels[item]]
        for place, target in enumerate(there):
            others = [bool(one & target) for n, one in enumerate(there) if n != place]
            found += [one != other for one, other in combinations(others, 2)]
    return float(np.mean(found)) if found else math.nan
