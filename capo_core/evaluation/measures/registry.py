"""The registry of measures: a measure is the function that computes it, under `@measure`.

To add one, write a function in a module of this package (see `FAMILIES` for what the function of a
family may ask for) and put `@measure(…)` on it. Configuration, report, command line and the page
Compare read everything from here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.streams import OTHER, SHUFFLED
from capo_core.formatting import capitalised

HIGHER, LOWER, LIKE_HUMAN, ONE = "higher", "lower", "as the human", "1"
DIRECTIONS = {
    HIGHER: "higher is better",
    LOWER: "lower is better",
    ONE: "closer to 1 is better",
    LIKE_HUMAN: "closer to the human's value is better",
}
LLM_JUDGE = "judge"  # the family of what a language model says, by the name it has in reports
LIKELIHOOD = "likelihood"  # the family of attribution by the annotators' own adapters


@dataclass(frozen=True)
class ReferenceValue:
    """Description of a reference value; if not `defined`, it gives the reason."""

    text: str
    defined: bool = True

    def __str__(self) -> str:
        return self.text if self.defined else f"undefined: {self.text}"


def no_reference(reason: str) -> ReferenceValue:
    """Return the reference of a measure that has none."""
    return ReferenceValue(reason, defined=False)


_OTHERS_ANSWERS = ReferenceValue("another annotator's answers, scored as if they were the target's")
_OTHERS_TEXTS = ReferenceValue(
    "another annotator's held-out texts, scored as if they were the target's"
)
_OWN_TEXTS = ReferenceValue("the target's own held-out texts")
_NO_GUESS = no_reference("there is no guess for this measure")


@dataclass(frozen=True)
class Family:
    """Group of measures computed from the same inputs, with the same references.

    Attributes:
        name: in configurations and reports.
        title: on tabs and in lists. heading: above the family's table in a report.
        inputs: what a function of the family may ask for, as names of its parameters; the values
            are in `measures.Context`.
        floor, ceiling, chance: of all its measures; `chance_name` is what the last is called.
        undefined: why a source may have no value.
        by_target: computed for each target, then averaged; else only over all of them.
        attribution: scores the author of texts; floor and chance are then those of a classifier.
        pooled: computed for each k of the configuration (texts that are attributed together).
        scored_elsewhere: needs answers of a run of its own, so it is not computed by name.
        floor_source: the source whose score is the floor.
    """

    name: str
    title: str
    heading: str
    inputs: tuple[str, ...]
    floor: ReferenceValue = _OTHERS_ANSWERS
    ceiling: ReferenceValue = _OWN_TEXTS
    chance: ReferenceValue = _NO_GUESS
    undefined: str = ""
    by_target: bool = True
    attribution: bool = False
    pooled: bool = False
    scored_elsewhere: bool = False
    floor_source: str = OTHER
    chance_name: str = "chance"


_AUTHOR = {
    "floor": _OTHERS_TEXTS,
    "chance": ReferenceValue("one in the number of annotators"),
    "attribution": True,
}
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "labels", "Labels", "Labels against the target's own",
            ("stream", "target_labels", "scale"),
            ceiling=ReferenceValue(
                "the target's own label (the first of several), correct by definition"
            ),
            chance=ReferenceValue("the target's most frequent label on training items, every time"),
            chance_name="most frequent label",
            undefined="no answer is on an item that the target labelled",
        ),
        Family(
            "soft", "Label distributions", "Label distributions against the annotators'",
            ("people", "method", "scale", "crowd"),
            floor=no_reference(
                "the distribution is of all annotators together, so no other one stands in"
            ),
            ceiling=ReferenceValue(
                "the annotators' own labels (the first of several): 0, apart from several labels"
            ),
            chance=ReferenceValue(
                "every item answered with the label distribution of the training items"
            ),
            chance_name="training label shares",
            undefined="needs readable answers in the place of every annotator",
            by_target=False,
        ),
        Family(
            "explanations", "Explanations", "Explanations against the target's own",
            ("stream", "target_texts", "embedder"),
            ceiling=no_reference(
                "the comparison is with the target's own text, and there is no second one by the "
                "target on the same item"
            ),
            undefined="no answer is on an item that the target explained",
        ),
        Family(
            "consistency", "Consistency", "Explanations against the label they come with",
            ("argued", "scale", "n_items"),
            floor=ReferenceValue(
                "the target's own labels with its explanations shuffled over items"
            ),
            ceiling=ReferenceValue("the target's own held-out labels and explanations"),
            undefined="no response, or people gave only one label on training items",
            floor_source=SHUFFLED,
        ),
        Family(
            "style", "Style", "Distance from the target's style",
            ("stream", "space", "item_ids"),
            undefined="there is no explanation",
        ),
        Family(
            "attribution", "Imitation", "Attributed to the target by the classifier",
            ("scores", "item", "target", "k", "slope", "n_items", "seed"),
            undefined="there are fewer answers than one group needs",
            pooled=True, **_AUTHOR,
        ),
        Family(
            "diversity", "Diversity", "Diversity, length and copying within a method",
            ("stream", "embedder", "n_items", "seed", "training_texts", "duplicate"),
            undefined="too few explanations with at least two words",
        ),
        Family(
            LIKELIHOOD, "Likelihood", "Attributed to the target by the annotators' own adapters",
            ("scores", "item", "target", "k", "n_items", "seed"),
            undefined="there are fewer answers than one group needs",
            scored_elsewhere=True, **_AUTHOR,
        ),
        Family(
            LLM_JUDGE, "LLM judge", "Attributed to the target by an LLM judge",
            ("named", "target", "item", "n_items"),
            undefined="the LLM judge was not asked about these answers",
            scored_elsewhere=True, **_AUTHOR,
        ),
    )
}  # fmt: skip
SCORED = tuple(family.name for family in FAMILIES.values() if not family.scored_elsewhere)


def families_by_interest() -> list[Family]:
    """Return the families in order of presentation: attribution first."""
    return sorted(FAMILIES.values(), key=lambda family: not family.attribution)


@dataclass(frozen=True)
class Measure:
    """Description of one measure, and the function that computes it.

    Attributes:
        name: in tables; of a measure with variants the variant stands behind it in brackets.
        family: a key of `FAMILIES`.
        better: a key of `DIRECTIONS`.
        meaning: two sentences for a person.
        undefined: why a source may have no value.
        title: on screens; the name where it is empty.
        short: the title in a narrow column; `title` where it is empty.
        scale: "any", "ordinal" or "nominal": label scales that it makes sense on.
        headline: among the few that are shown first.
        k: size of the groups of texts that it is computed on; 0 where it has none.
        decimals: digits shown after the point.
        needs_crowd: compares with a crowd's distributions, which few datasets have.
        variant: what distinguishes several measures by one function, as "words, mask_input".
    """

    name: str
    family: str
    better: str
    meaning: str
    undefined: str = ""
    title: str = ""
    short: str = ""
    scale: str = "any"
    headline: bool = False
    k: int = 0
    decimals: int = 2
    needs_crowd: bool = False
    has_variants: bool = False
    variant: str = ""
    function: Callable[..., Any] | None = None

    @property
    def of(self) -> Family:
        """Family of the measure."""
        return FAMILIES[self.family]

    @property
    def floor(self) -> ReferenceValue:
        return self.of.floor

    @property
    def ceiling(self) -> ReferenceValue:
        return self.of.ceiling

    @property
    def chance(self) -> ReferenceValue:
        return self.of.chance

    def fits(self, dataset: Dataset) -> bool:
        """Return whether the label scale suits the measure and its reference data are there."""
        kind = "ordinal" if dataset.task.scale.ordinal else "nominal"
        return self.scale in ("any", kind) and not (self.needs_crowd and dataset.crowd is None)

    def compute(self, inputs: Mapping[str, Any]) -> Any:
        """Return the score from the inputs of its family; None where it is not defined."""
        return self.function(**{name: inputs[name] for name in self.parameters})

    @property
    def parameters(self) -> tuple[str, ...]:
        """Inputs of its family that the function requests."""
        asked = inspect.signature(self.function).parameters
        return tuple(name for name in asked if name in self.of.inputs)

    def header(self, k: int = 0, *, short: bool = False) -> str:
        """Return the column header at `k` texts that are judged together (0: none).

        Args:
            short: whether the column is narrow.
        """
        if not self.of.attribution:
            return self.screen_title(short=short)
        return f"{self.screen_title(short=short)}, {k} text{'s' if k != 1 else ''}"

    def screen_title(self, *, short: bool = False) -> str:
        """Return the title on screens, which for many measures is the name."""
        title = (self.short if short else "") or self.title
        return title.format(variant=self.variant) or capitalised(self.name)


MEASURES: dict[str, Measure] = {}


def measure(
    name: str, *, family: str, better: str, meaning: str, **about: Any
) -> Callable[[Callable], Callable]:
    """Register the decorated function as the measure `name`; the function itself is unchanged.

    Its parameters name the inputs that it needs, among those of its family; others must have a
    default.

    Raises:
        ValueError: there is a measure of that name, no such family or direction, or the function
            asks for something that its family does not have.
    """

    def register(function: Callable) -> Callable:
        if name in MEASURES or family not in FAMILIES or better not in DIRECTIONS:
            raise ValueError(f"measure {name!r} of family {family!r} ({better!r}) cannot be added")
        about.setdefault("undefined", FAMILIES[family].undefined)
        made = Measure(name, family, better, meaning, function=function, **about)
        for parameter in inspect.signature(function).parameters.values():
            known = FAMILIES[family].inputs
            if parameter.name not in known and parameter.default is parameter.empty:
                raise ValueError(
                    f"measure {name!r} asks for {parameter.name!r}; family {family!r} has "
                    + ", ".join(known)
                )
        MEASURES[name] = made
        return function

    return register


def measures_of(family: str) -> list[Measure]:
    """Return the measures of a family, in the order of their registration."""
    return [measure for measure in MEASURES.values() if measure.family == family]


def variant_name(name: str, variant: str) -> str:
    """Return the name in tables of a variant: "attribution (words, mask_input)"."""
    return f"{name} ({variant})"


def find_measure(name: str) -> Measure:
    """Return the measure of that name; of one with variants, with the variant in brackets.

    Raises:
        ConfigError: there is none.
    """
    for known in MEASURES.values():
        if not known.has_variants and name == known.name:
            return known
        begin, end = variant_name(known.name, "\0").split("\0")
        if known.has_variants and name.startswith(begin) and name.endswith(end):
            variant = name[len(begin) : -len(end)]
            if variant:
                return replace(known, name=name, variant=variant)
    raise ConfigError(f"there is no measure {name!r}", expected=f"one of {', '.join(MEASURES)}")
