"""The interface of a kind of trial: its question, texts, answers, simulation and analysis.

All that differs between kinds is in their `TrialKind`; a study, the judge's page, the planner and
the report ask it. This module and the kinds lie on the judge's path, so they get texts, cards and
judgments handed in and never look up where a text comes from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from capo_core.study.analysis.analysis import AnalysisSettings
    from capo_core.study.config import StudyConfig
    from capo_core.study.design.sources import AvailableTexts, SourceText
    from capo_core.study.simulated_judges import SourceEffects


@dataclass(frozen=True)
class Stratum:
    """The hidden source of a trial, or the two of a paired kind."""

    kind: str
    sources: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.kind} of {' against '.join(self.sources)}"


@dataclass(frozen=True)
class PlacedText:
    """A text in its slot, on the item that it answers (or, in a check, is shown with)."""

    item: str
    source: str
    text: SourceText


@dataclass(frozen=True)
class DraftTrial:
    """A trial with everything about it; `DraftRows` splits it into what is shown and what sealed.

    Attributes:
        target: whom the question names; "" where the judge is to find the annotator.
        truth: the right answer; in a paired kind the *source* that is right, before the two are
            put into slots; "" where there is none.
        mirror_of: the id of the trial that it repeats.
    """

    kind: str
    purpose: str
    target: str
    shown: tuple[PlacedText, ...]
    truth: str = ""
    mirror_of: str = ""


@dataclass(frozen=True)
class SimulatedTrials:
    """The trials of a study that simulated judges answer, n rows in all, of every kind.

    Attributes:
        table: one row a (judge, trial), with the columns of JUDGMENTS that describe the trial.
        attends, doubts: bool [n], does the judge attend, and do they give the undecided answer?
        left, skill: float [n], of the row's judge (see `SimulatedJudges`).
    """

    table: pd.DataFrame
    attends: np.ndarray
    doubts: np.ndarray
    left: np.ndarray
    skill: np.ndarray
    effects: SourceEffects


@dataclass(frozen=True)
class LengthModel:
    """A logistic model of how text length sways answers.

    Attributes:
        question: what the odds ratio of the first column of `x` says.
        x: [n × p], first the length in doublings, then the sources held equal.
        hit: bool [n]. rows: the judgments, for their judges and items.
    """

    question: str
    x: np.ndarray
    hit: pd.Series
    rows: pd.DataFrame


EQUIVALENCE_NOTE = (
    "Two one-sided tests against the margin of the design; p ≤ .05 is equivalent. low, high: 90 %."
)


@dataclass(frozen=True)
class ReportSection:
    """A table of the report: its title, and a sentence on how to read it."""

    title: str
    table: pd.DataFrame
    caption: str = ""


def shuffle_slots(rng: np.random.Generator, shown: Sequence[PlacedText]) -> tuple[PlacedText, ...]:
    """Return the texts of a pair in random slots, so that no slot stands for a source."""
    return tuple(shown[i] for i in rng.permutation(len(shown)))


class TrialKind(ABC):
    """One kind of trial. Subclass it, and list an instance in `TRIAL_KINDS`.

    Attributes:
        name: as stored in tables, designs and options.
        title: the heading of its results.
        description: what judges see and answer, for the owner who chooses kinds.
        task: what judges did, in the methods paragraph ("judges who … <task>").
        instructions: Markdown for the judge, before the first trial.
        practice_note: one sentence shown after a practice trial was answered.
        source_hint: which sources it needs, for a design that lacks them.
        outcome: what the planner's share is a share of.
        paired: are two texts of two sources compared, left and right?
        lettered: are the annotators' cards named by letters, which are the answers?
        reference_slot: slot of a text that is shown for reference and not judged, else None.
        undecided: the answer that decides nothing ("cannot_tell", "tie"); "" where there is none.
        scale: the answers in order, whole numbers as text, where they are ordered; else ().
        expected_share: what the planner assumes of one source unless told otherwise.
    """

    name: str
    title: str
    description: str
    task: str
    instructions: str
    practice_note: str
    source_hint: str
    outcome: str
    paired: bool = False
    lettered: bool = False
    reference_slot: int | None = None
    undecided: str = ""
    scale: tuple[str, ...] = ()
    expected_share: float = 0.5

    # Sources and items of a design.

    @abstractmethod
    def sources(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of a study's sources whose texts its trials show."""

    def strata(self, names: Iterable[str]) -> tuple[Stratum, ...]:
        """Return its sources, or every two of them, as strata."""
        size = self.fewest_sources
        return tuple(Stratum(self.name, two) for two in combinations(self.sources(names), size))

    @property
    def fewest_sources(self) -> int:
        return 2 if self.paired else 1

    def slot_sources(self, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sources of a trial's texts, by slot."""
        return sources

    def is_usable(self, texts: Sequence[SourceText]) -> bool:
        """Return whether these texts, by slot, make a trial."""
        return True

    def items_per_trial(self, config: StudyConfig) -> int:
        """Return how many items one main trial uses up."""
        return 1

    def items_shown(self, texts: int) -> int:
        """Return how many different items a trial of so many texts shows."""
        return 1

    def design_notes(self, config: StudyConfig, targets: int, annotators: int) -> Iterable[str]:
        """Yield what the owner should know of a design with this kind, in sentences."""
        return ()

    # Trials.

    @abstractmethod
    def make_check(
        self,
        config: StudyConfig,
        texts: AvailableTexts,
        purpose: str,
        target: str,
        free: Iterable[str],
        rng: np.random.Generator,
        used: set[str],
    ) -> DraftTrial | None:
        """Return a trial of human texts whose answer is known; None if the items do not suffice.

        Args:
            purpose: CHECK or PRACTICE.
            free: items that may be used, the ones to use first in front.
            used: the items that the trial uses are added.
        """

    @abstractmethod
    def main_trial(
        self, target: str, shown: Sequence[PlacedText], rng: np.random.Generator
    ) -> DraftTrial:
        """Return the main trial that shows these texts."""

    def coded_truth(self, trial: DraftTrial) -> str:
        """Return the right answer as judgments code it; "" where there is none."""
        return trial.truth

    def slot_order(self, rng: np.random.Generator, count: int) -> list[int]:
        """Return the slots of a trial as displayed, left to right or top to bottom."""
        return list(range(count))

    def mirrored(self, slots: list[int]) -> list[int]:
        """Return the order of a repeat, given the order of the trial it repeats."""
        return slots[::-1]

    def cards(self, target: str, annotators: Sequence[str]) -> list[str]:
        """Return whose cards are shown, of all `annotators` in the judge's order."""
        return []

    # Answers.

    @abstractmethod
    def question(self, texts: int) -> str:
        """Return what a judge is asked about so many texts."""

    @abstractmethod
    def answers(self, card_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the answers a judge may give, as the screen names them."""

    def stored(self, answer: str, card_ids: Sequence[str], slots: Sequence[int]) -> tuple[str, str]:
        """Return one of `answers` as judgments code it, and the side of the screen chosen."""
        return answer, ""

    def asks_confidence(self, answer: str) -> bool:
        """Return whether the judge also says how sure they are of this answer."""
        return False

    def check_passed(self, answer: pd.Series, truth: pd.Series) -> pd.Series:
        """Return bool [n]: were trials with a known answer answered rightly?"""
        return answer == truth

    def describe_texts(self, sources: Sequence[str], words: Sequence[int]) -> dict[str, Any]:
        """Return the columns of JUDGMENTS on a trial's sources and words, both given by slot."""
        judged = [n for slot, n in enumerate(words) if slot != self.reference_slot]
        return {
            "source_a": sources[0] if self.paired else "",
            "source_b": sources[1] if self.paired else "",
            "source": "" if self.paired else sources[0],
            "words_a": words[0] if self.paired else 0,
            "words_b": words[1] if self.paired else 0,
            "words": sum(judged),
        }

    # Simulation and planning.

    @abstractmethod
    def simulate(
        self, trials: SimulatedTrials, rng: np.random.Generator
    ) -> tuple[np.ndarray, Mapping[str, str]]:
        """Return an answer for each row (rows of other kinds are ignored), and trial_id → the
        better text ("a", "b") where that was drawn."""

    def choices(self, annotators: int) -> int:
        """Return among how many answers a guess falls."""
        return 2

    def chance(self, choices: int) -> float | None:
        """Return what guessing reaches; None where nothing is a guess."""
        return None

    # Analysis.

    @abstractmethod
    def main_judgments(self, judgments: pd.DataFrame) -> pd.DataFrame:
        """Return the judgments of this kind that its results rest on: no practice, no check, no
        repeat. The one query of results and of every count of them."""

    def unknown_annotators(self, judgments: pd.DataFrame, annotators: tuple[str, ...]) -> list[str]:
        """Return whom judgments of this kind name although they had no card, sorted."""
        return []

    @abstractmethod
    def analyse(
        self, judgments: pd.DataFrame, annotators: tuple[str, ...], options: AnalysisSettings
    ) -> dict[str, Any]:
        """Return results by name, no name shared with another kind.

        A result is a frame, an object with `to_dict`, or None. All judgments of the study are
        given; where none is of this kind, frames are empty.
        """

    @abstractmethod
    def sections(
        self, results: Mapping[str, Any], annotators: tuple[str, ...]
    ) -> list[ReportSection]:
        """Return the tables of the report, from what `analyse` returned."""

    def remarks(self, results: Mapping[str, Any]) -> list[str]:
        """Return what a reader must know of the results, in sentences."""
        return []

    def reading_note(self, annotators: tuple[str, ...]) -> str:
        """Return one sentence on how to read the results; "" for none."""
        return ""

    def methods(self, annotators: tuple[str, ...], results: Mapping[str, Any]) -> str:
        """Return the sentences of the methods paragraph on this kind's statistics: on those that
        `results` have, since a paper must not claim what came out undefined."""
        return ""

    def length_model(self, main: pd.DataFrame) -> LengthModel | None:
        """Return the model of length, from main judgments of all kinds; None for no such model."""
        return None
