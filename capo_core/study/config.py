"""The design of a study before anything is drawn, as saved in its design.json."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import PlainValidator

from capo_core.data.splits import PARTS
from capo_core.errors import ConfigError
from capo_core.settings import as_json, setting, setting_field, settings
from capo_core.study.fixes import DesignChange, DesignError
from capo_core.study.source_names import inside
from capo_core.study.tables import ATTRIBUTION, HUMAN, OTHER_HUMAN
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import Stratum
from capo_core.workspace import safe_name

PEOPLE = (HUMAN, OTHER_HUMAN)
SCREENS = ("name", "boilerplate", "format", "length", "card_copy")  # see `leaks_in_text`
MOST = 100_000
PLANNED = (
    "Primary: accuracy per source (attribution) or share of wins per pair of sources (comparison), "
    "with 95 % intervals clustered by judge and item, against chance. Practice, checks and "
    "repeats are left out of it; nobody's answers are dropped, and results weighted by judge "
    "quality are given beside the raw ones."
)


def _number(value: Any) -> int | float:
    """Return a number as it was given: 0 and 0.0 have different hashes in a frozen design."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return value


_Share = Annotated[float, PlainValidator(_number)]


@settings("study")
class StudyConfig:
    """A study's design.

    Balance asks for numbers that fit: see `balance.sizes`, which says what fits where they do not.

    Raises:
        ConfigError: a setting is missing, of another type, or out of range.
    """

    name: str = setting(
        title="Name of the study",
        description="Its folder, and its name in commands. Judges never see this name.",
    )
    dataset: str = setting(title="Dataset", description="A dataset of the workspace.")
    kinds: tuple[str, ...] = setting(
        (ATTRIBUTION,), "Trial kinds", "What judges are asked; one kind or several.",
        choices=lambda: tuple(TRIAL_KINDS),
    )  # fmt: skip
    sources: Mapping[str, Any] = setting(
        title="Sources",
        description="The hidden sources of texts: human, other_human, or a name with the ids of "
        "its finished generation runs.",
        default_factory=lambda: {HUMAN: HUMAN},
    )
    reference: str = setting(
        "",
        "Compare only with",
        "Comparisons are of each other source against this one (human: each method against the "
        "target's own texts), which needs fewer trials; empty compares every two sources.",
    )
    targets: tuple[str, ...] = setting(
        (), "Target annotators", "Annotators whose texts are asked about; none takes all."
    )
    split: str = setting(
        "test", "Split", "Texts answer items of this split; cards always come from training.",
        choices=PARTS[1:],
    )  # fmt: skip
    items: int = setting(
        0, "Max items", "At most so many items in main trials (0 = all).", ge=0, le=MOST
    )
    pool: int = setting(
        1, "Texts per attribution",
        "How many texts of one hidden source an attribution shows together.", ge=1, le=64,
    )  # fmt: skip
    incomplete: bool = setting(
        False, "Incomplete blocks",
        "A judge may see one source (or pair) once more than another; over all judges each is seen "
        "equally often. Needed where the trials of a judge cannot be shared equally.",
    )  # fmt: skip
    judges: int = setting(6, "Judges", "How many people will judge.", ge=1, le=1000)
    trials_per_judge: int = setting(
        30, "Trials per judge and kind",
        "Main trials of each kind per judge; practice, checks and repeats come on top. It must be "
        "a multiple of the number of sources (of pairs of sources, in comparisons).",
        ge=1, le=1000,
    )  # fmt: skip
    judgments_per_trial: int = setting(
        3, "Judges per trial",
        "How many judges see each main trial: more measure agreement better, fewer leave more "
        "trials.", ge=1, le=1000,
    )  # fmt: skip
    repeats_share: _Share = setting(
        0.1, "Swapped-order repeats (share)",
        "Trials shown a second time with sides swapped, as a share of the main trials; they "
        "measure how consistent a judge is.", ge=0, le=0.3, step=0.05,
    )  # fmt: skip
    checks_share: _Share = setting(
        0.1, "Attention checks (share)",
        "Trials of human texts with a known answer, as a share of the main trials; they measure "
        "attention.", ge=0, le=0.3, step=0.05,
    )  # fmt: skip
    practice: int = setting(
        3, "Practice trials per kind", "With feedback, before the first trial that counts.",
        ge=0, le=20,
    )  # fmt: skip
    cap: int = setting(
        150, "Max trials per judge",
        "In total, also where a judge takes over trials of others.", ge=1, le=2000,
    )  # fmt: skip
    card_examples: int = setting(
        4, "Examples per reference card", "The annotator's own training answers on each card.",
        ge=1, le=20,
    )  # fmt: skip
    ask_reason: bool = setting(
        False, "Ask for a reason", "A text box for the judge's own words; it may stay empty."
    )
    claim_minutes: int = setting(
        30, "Reassign after (min)",
        "When a judge leaves a trial unanswered so long, another judge may get it.",
        ge=1, le=10_080,
    )  # fmt: skip
    leave_out: tuple[str, ...] = setting(
        (), "Exclude texts that show",
        "Texts that any of these would give away are not drawn; counts are reported per source.",
        choices=SCREENS,
    )  # fmt: skip
    seed: int = setting(
        0, "Random seed", "Of items, texts, sides, orders and cards.", ge=0, le=2**31 - 1
    )
    planned_analysis: str = setting(
        PLANNED, "Planned analysis",
        "What will be computed, stated before anyone judges; it is frozen with the design.",
    )  # fmt: skip
    equivalence_margin: _Share = setting(
        0.0, "Equivalence margin",
        "How far a source may be from the target's own texts and still count as equivalent, as a "
        "share: 0.1 is 10 percentage points of attribution accuracy, or of preference away from a "
        "half. It is frozen with the design; 0 plans no test of equivalence.",
        ge=0, le=0.5, step=0.01,
    )  # fmt: skip
    consent: str = setting(
        "", "Consent text", "Read by the judge first; empty uses the page's own text."
    )
    instructions: str = setting(
        "", "Instructions", "Added to the page's own instructions; may be empty."
    )
    purpose: str = setting(
        "", "Purpose", "For the consent page: what the study is for, without naming a method."
    )
    researcher: str = setting(
        "", "Researcher", "For the consent page: who is responsible, with the institution."
    )
    contact: str = setting(
        "", "Contact", "For the consent page: an address for questions and withdrawal."
    )
    data_kept: str = setting(
        "", "What is kept", "For the consent page: where answers are kept, for how long, and who "
        "may see them.",
    )  # fmt: skip
    return_address: str = setting(
        "", "Return address",
        "Where a participant of a platform returns to after the last trial, beginning with "
        "https://. {code} stands for the judge's own completion code, {participant} for the "
        "participant id of the link.",
    )  # fmt: skip

    title: str = setting(
        "", "Title",
        "What the study is called on pages; empty takes its name. Judges never see it.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        safe_name(self.name)
        safe_name(self.dataset)
        for name in ("kinds", "targets", "leave_out"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise _wrong(name, getattr(self, name), "a list of names, each once")
        if not self.kinds:
            raise _wrong("kinds", self.kinds, f"some of {', '.join(TRIAL_KINDS)}")
        check_return_address(self.return_address)
        if not self.planned_analysis.strip():
            raise _wrong(
                "planned_analysis", "", "what will be computed, stated before anyone judges"
            )
        self._settle_sources()
        if self.total_per_judge > self.cap:
            raise DesignError(
                f"a judge would see {self.total_per_judge} trials: {self._parts()}",
                where="setting cap",
                expected=f"at most {self.cap}",
                todo="ask less of each judge and invite more of them, or raise the cap",
                changes=[change(cap=self.total_per_judge)],
            )

    def _settle_sources(self) -> None:
        if not self.sources:
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
            fewest, found = TRIAL_KINDS[kind].fewest_sources, self.sources_of(kind)
            if len(found) < fewest:
                raise ConfigError(
                    f"a study of {kind} needs {fewest} source{'s' if fewest > 1 else ''}, "
                    f"and has {len(found)}",
                    where="setting sources",
                    expected=TRIAL_KINDS[kind].source_hint,
                )

        if self.reference and self.reference not in self.sources:
            raise DesignError(
                f"the source {self.reference!r}, which others are to be compared with, is none of "
                "the study's",
                where="setting reference",
                expected=f"one of {', '.join(self.sources)}",
                changes=[change(reference="")],
            )

    def sources_of(self, kind: str) -> tuple[str, ...]:
        """Return the sources whose texts trials of this kind show."""
        return TRIAL_KINDS[kind].sources(self.sources)

    def strata_of(self, kind: str) -> tuple[Stratum, ...]:
        """Return what main trials of a kind are balanced over: sources, or every two of them; with
        a reference, only the pairs it is in."""
        found = TRIAL_KINDS[kind].strata(self.sources)
        if not self.reference or not TRIAL_KINDS[kind].paired:
            return found
        return tuple(stratum for stratum in found if self.reference in stratum.sources)

    @property
    def called(self) -> str:
        """The title, or where there is none the name."""
        return self.title or self.name

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
        """Return the design as JSON writes it.

        Settings that came later are left out where they say nothing: designs that were frozen
        before there were any keep their hash.
        """
        found = as_json(self)
        for name in _LATER:
            if not found[name]:
                del found[name]
        return found

    @classmethod
    def from_dict(cls, raw: Any) -> StudyConfig:
        """Return the design from `to_dict`; `ConfigError` where it is no such object."""
        if not isinstance(raw, dict) or not {"name", "dataset"} <= set(raw):
            raise ConfigError("a study has a name and a dataset", expected="an object with both")
        return cls(**raw)

    def with_changes(self, **changes: Any) -> StudyConfig:
        return replace(self, **changes)


_LATER = (
    "equivalence_margin", "reference", "incomplete", "purpose", "researcher", "contact",
    "data_kept", "return_address", "title",
)  # fmt: skip

MOST_LETTERS = 60  # of a name that is made from a title


def name_from_title(title: str, taken: Collection[str] = ()) -> str:
    """Return a name for the folder of a study: "CAPO against SFT" → "CAPO-against-SFT".

    A title that is a name already stays as it is. Accents are dropped; what has no Latin letters or
    digits becomes "study". Names that are taken are numbered from 2 on.

    Raises:
        ConfigError: the title is empty.
    """
    if not title.strip():
        raise ConfigError("the study has no name", where="Name of the study", expected="some words")
    try:
        return safe_name(title)
    except ConfigError:
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:MOST_LETTERS].strip("-") or "study"
    name, number = words, 2
    while name in taken:
        name, number = f"{words}-{number}", number + 1
    return name


def change(**settings: Any) -> DesignChange:
    """Return a change of settings, in the words of the form: `change(judges=9)` is "Judges: 9"."""
    titles = {name: setting_field(StudyConfig, name).title for name in settings}
    return DesignChange(
        settings, ", ".join(f"{titles[name]}: {_said(value)}" for name, value in settings.items())
    )


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "all"
    return f"{value:,}" if isinstance(value, int) else inside(str(value)) if value else "none"


def check_return_address(address: str) -> None:
    """Raise `ConfigError` unless the address is empty or one of the web, without other fields than
    {code} and {participant}."""
    plain = address.replace("{code}", "").replace("{participant}", "")
    if address and (not address.startswith(("https://", "http://")) or set(plain) & set("{} \n")):
        raise _wrong(
            "return_address", address, "an address that begins with https://, with {code} and "
            "{participant} where they are to stand",
        )  # fmt: skip


def _wrong(name: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"found {value!r}", where=f"setting {name}", expected=expected)
