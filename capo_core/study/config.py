"""What a study is made of; saved in its design.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import combinations
from typing import Any

from capo_core.data.splits import PARTS
from capo_core.errors import ConfigError
from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, KINDS, OTHER_HUMAN
from capo_core.workspace import safe_name

PEOPLE = (HUMAN, OTHER_HUMAN)
SCREENS = ("name", "boilerplate", "format", "length", "card_copy")  # see `leaks.of_text`
MOST = 100_000
PLANNED = (
    "Primary: accuracy per source (attribution) or share of wins per pair of sources (comparison), "
    "with 95 % intervals clustered by judge and item, against chance. Practice, checks and "
    "repeats are left out of it; nobody's answers are dropped, and results weighted by judge "
    "quality are given beside the raw ones."
)


@dataclass(frozen=True)
class Stratum:
    """What a trial compares: one hidden source, or in a comparison two of them."""

    kind: str
    sources: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.kind} of {' against '.join(self.sources)}"


@dataclass(frozen=True)
class StudyConfig:
    """A design, before anything is drawn.

    Balance asks for numbers that fit: see `balance.sizes`, which says what fits where they do not.

    Raises:
        ConfigError: a setting is missing, of another type, or out of range.
    """

    # The study's name is its folder's, and what the commands call it by.
    name: str
    # A dataset of the catalog.
    dataset: str
    # Out of attribution, comparison, reasoning.
    kinds: tuple[str, ...] = (ATTRIBUTION,)
    # Name of the source → "human", "other_human", or the ids of finished generation runs.
    sources: Mapping[str, Any] = field(default_factory=lambda: {HUMAN: HUMAN})
    # Whose texts are asked about; () takes every annotator.
    targets: tuple[str, ...] = ()
    # The part of the data that the texts answer; cards always come from the training part.
    split: str = "test"
    # At most so many items are drawn for the main trials; 0 takes all there are.
    items: int = 0
    # Texts of one pool in an attribution.
    pool: int = 1
    judges: int = 6
    # Main trials of each kind that a judge sees; checks, repeats and practice come on top.
    trials_per_judge: int = 30
    # How many judges see each main trial.
    judgments_per_trial: int = 3
    # Trials shown again, and checks, as shares of `trials_per_judge`.
    repeats_share: float = 0.1
    checks_share: float = 0.1
    # Practice trials of each kind, with feedback.
    practice: int = 3
    # The most trials of one judge, all in all.
    cap: int = 150
    # Examples on each annotator's reference card.
    card_examples: int = 4
    # Is a reason asked for (it may stay empty)?
    ask_reason: bool = False
    # A trial that a judge opened and left is free again after so long.
    claim_minutes: int = 30
    # Texts that any of these would give away are not drawn; how many is said for each source.
    leave_out: tuple[str, ...] = ()
    # Of everything drawn: items, texts, sides, orders, cards.
    seed: int = 0
    # What will be computed, in words; it is frozen with the design.
    planned_analysis: str = PLANNED
    # Shown to the judge before they begin; empty for the page's own words.
    consent: str = ""
    instructions: str = ""

    def __post_init__(self) -> None:
        safe_name(self.name)
        safe_name(self.dataset)
        for name in ("kinds", "targets", "leave_out"):
            value = getattr(self, name)
            texts = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
            if not texts or len(set(value)) != len(value):
                raise _wrong(name, value, "a list of names, each once")
            object.__setattr__(self, name, tuple(value))
        for name, allowed in (("kinds", KINDS), ("leave_out", SCREENS)):
            strange = [each for each in getattr(self, name) if each not in allowed]
            if strange or (name == "kinds" and not self.kinds):
                raise _wrong(name, getattr(self, name), f"some of {', '.join(allowed)}")
        self._check_sources()
        if self.split not in PARTS[1:]:
            raise _wrong(
                "split", self.split, f"one of {', '.join(PARTS[1:])}, which no run learned"
            )
        for name, low, high in (
            ("items", 0, MOST), ("pool", 1, 64), ("judges", 1, 1000),
            ("trials_per_judge", 1, 1000), ("judgments_per_trial", 1, 1000), ("practice", 0, 20),
            ("cap", 1, 2000), ("card_examples", 1, 20), ("claim_minutes", 1, 10_080),
            ("seed", 0, 2**31 - 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise _wrong(name, value, f"a whole number from {low:,} to {high:,}")
        for name in ("repeats_share", "checks_share"):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value <= 0.3
            ):
                raise _wrong(name, value, "a share from 0 to 0.3")
        for name in ("planned_analysis", "consent", "instructions"):
            if not isinstance(getattr(self, name), str):
                raise _wrong(name, getattr(self, name), "a text")
        if type(self.ask_reason) is not bool:
            raise _wrong("ask_reason", self.ask_reason, "true or false")
        if not self.planned_analysis.strip():
            raise _wrong("planned_analysis", "", "what will be computed, said before anyone judges")
        if self.total_per_judge > self.cap:
            raise ConfigError(
                f"a judge would see {self.total_per_judge} trials: {self._parts()}",
                where="setting cap",
                expected=f"at most {self.cap}",
                todo="ask less of each judge and invite more of them, or raise the cap",
            )

    def _check_sources(self) -> None:
        if not isinstance(self.sources, Mapping) or not self.sources:
            raise _wrong("sources", self.sources, "one source or more, each with its runs")
        settled: dict[str, Any] = {}
        for name, given in self.sources.items():
            safe_name(name)
            if name in PEOPLE or given in PEOPLE:
                if name != given:
                    raise _wrong(
                        "sources", name, f"{HUMAN} and {OTHER_HUMAN} under their own names"
                    )
                settled[name] = given
                continue
            runs = (given,) if isinstance(given, str) else given
            if not isinstance(runs, list | tuple) or not runs:
                raise _wrong("sources", name, "the ids of one run or more (generate)")
            settled[name] = tuple(safe_name(run) for run in runs)
        object.__setattr__(self, "sources", settled)
        for kind in self.kinds:
            least, found = (2 if kind == COMPARISON else 1), self.sources_of(kind)
            if len(found) < least:
                raise ConfigError(
                    f"a study of {kind} needs {least} source{'s' if least > 1 else ''}, "
                    f"and has {len(found)}",
                    where="setting sources",
                    expected=_FIT.get(kind),
                )

    def sources_of(self, kind: str) -> tuple[str, ...]:
        """The sources whose texts trials of this kind show.

        An attribution does not need other_human: every human text has its writer as the answer.
        The reasoning of a text is compared with the target's own, which therefore is no source.
        """
        needless = {ATTRIBUTION: OTHER_HUMAN, COMPARISON: ""}.get(kind, HUMAN)
        return tuple(name for name in self.sources if name != needless)

    def strata_of(self, kind: str) -> tuple[Stratum, ...]:
        """Its sources; of a comparison every two of them."""
        size = 2 if kind == COMPARISON else 1
        return tuple(Stratum(kind, two) for two in combinations(self.sources_of(kind), size))

    @property
    def methods(self) -> dict[str, tuple[str, ...]]:
        """The sources that are no people, with their runs."""
        return {name: runs for name, runs in self.sources.items() if name not in PEOPLE}

    @property
    def repeats(self) -> int:
        """Mirrored repeats of each kind for each judge: at most a third, so that they lie apart."""
        return min(round(self.repeats_share * self.trials_per_judge), self.trials_per_judge // 3)

    @property
    def checks(self) -> int:
        """Checks of each kind for each judge."""
        return round(self.checks_share * self.trials_per_judge)

    @property
    def total_per_judge(self) -> int:
        return len(self.kinds) * (
            self.practice + self.trials_per_judge + self.checks + self.repeats
        )

    def _parts(self) -> str:
        each = " for each kind" if len(self.kinds) > 1 else ""
        return (
            f"{self.trials_per_judge} main, {self.checks} checks, {self.repeats} repeats and "
            f"{self.practice} of practice{each}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        plain = asdict(self)
        plain["sources"] = {
            name: list(runs) if isinstance(runs, tuple) else runs
            for name, runs in self.sources.items()
        }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}

    @classmethod
    def from_dict(cls, raw: Any) -> StudyConfig:
        """The design again from `to_dict`; `ConfigError` where something else stands there."""
        if not isinstance(raw, dict) or not {"name", "dataset"} <= set(raw):
            raise ConfigError("a study has a name and a dataset", expected="an object with both")
        unknown = sorted(set(raw) - {each.name for each in fields(cls)})
        if unknown:
            raise ConfigError(f"there is no setting {unknown[0]!r} in a study")
        return cls(**raw)

    def with_changes(self, **changes: Any) -> StudyConfig:
        return replace(self, **changes)


_FIT = {
    ATTRIBUTION: "human, or a method (every human text has its writer as the answer)",
    COMPARISON: "two out of human, other_human and methods",
    "reasoning": "other_human, or a method: their texts are held against the target's own",
}


def _wrong(name: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"found {value!r}", where=f"setting {name}", expected=expected)
