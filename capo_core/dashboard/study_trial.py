"""A design tried before anybody is invited: one trial as a judge sees it, and simulated judges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from string import ascii_uppercase

from capo_core.study.analysis import Settings, analyse
from capo_core.study.design import Draft
from capo_core.study.made_judges import Judges, World
from capo_core.study.simulate_judges import answer
from capo_core.study.standing import Progress
from capo_core.study.study_report import Facts, StudyReport
from capo_core.study.tables import ATTRIBUTION, PRACTICE, REASONING, from_cell
from capo_core.study.views import CardView, Shown, Trial, TrialView

DRAWS = 200  # of the bootstrap of agreement: a try need not be as exact as a result


def slots(draft: Draft) -> list[str]:
    """The judges' sequences: J01, J02, …"""
    return sorted(draft.assignments["judge_slot"].unique())


def example(draft: Draft, slot: str, place: int) -> TrialView:
    """The trial at `place` (1, 2, …) of a judge's sequence, as the judge's desk would show it."""
    mine = draft.assignments[draft.assignments["judge_slot"] == slot].sort_values("position")
    row = mine.iloc[max(0, min(place, len(mine)) - 1)]
    fact = draft.trials.set_index("trial_id").loc[row["trial_id"]]
    order, ids = from_cell(row["order"]), from_cell(fact["text_ids"])
    trial = Trial(row["trial_id"], fact["kind"], fact["phase"], tuple(ids),
                  tuple(order.get("cards", ())), tuple(order["slots"]))  # fmt: skip
    said = draft.texts.set_index("text_id")
    by_slot = [Shown(*said.loc[i, ["text_a", "text_b", "label", "explanation"]]) for i in ids]
    examples = draft.cards.set_index("annotator_id")["examples"]
    lettered, reasoning = trial.kind == ATTRIBUTION, trial.kind == REASONING
    cards = tuple(
        CardView(
            ascii_uppercase[k] if lettered else "",
            tuple(Shown(*each) for each in from_cell(examples[who])),
        )
        for k, who in enumerate(trial.card_ids)
    )
    done = int(row["position"]) - 1
    return TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        cards=cards,
        texts=(by_slot[0],) if reasoning else tuple(by_slot[k] for k in trial.slots),
        reference=by_slot[1] if reasoning else None,
        answers=trial.answers,
        earlier=None,
        shown_at=datetime.now(UTC),
        progress=Progress(done, len(mine), None, 0, 0),
    )


@dataclass(frozen=True)
class Trying:
    """What is assumed of simulated judges and of the sources; see `made_judges`.

    Attributes:
        strength, likeness: (source, value), of sources that differ from the defaults.
    """

    attentiveness: float = 0.8
    skill: float = 0.7
    left: float = 0.5
    doubt: float = 0.05
    careless: float = 0.0
    seed: int = 0
    strength: tuple[tuple[str, float], ...] = ()
    likeness: tuple[tuple[str, float], ...] = ()


def tried(draft: Draft, trying: Trying) -> StudyReport:
    """What the study would report if its judges were these.

    Raises:
        ConfigError: a value is out of range.
    """
    judges = Judges.drawn(
        len(slots(draft)), seed=trying.seed, attentiveness=trying.attentiveness,
        skill=trying.skill, left=trying.left, doubt=trying.doubt, careless=trying.careless,
    )  # fmt: skip
    world = World(dict(trying.strength), dict(trying.likeness))
    made = answer(draft, judges, trying.seed, world, study_id=draft.config.name)
    annotators = tuple(sorted(draft.cards["annotator_id"]))
    found = analyse(made.judgments, annotators, Settings(seed=trying.seed, draws=DRAWS))
    return StudyReport(found, Facts(seed=draft.config.seed, planned=draft.config.planned_analysis))
