"""A study made by hand, small enough to know every row of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_judge_store, open_store
from capo_core.study.tables import (
    ASSIGNMENTS,
    CARDS,
    FEEDBACK,
    SEALED,
    TEXTS,
    TRIALS,
    as_cell,
    frame_of,
)
from capo_core.workspace import Workspace

PEOPLE = ("ann-1", "ann-2", "ann-3")
# Nothing of this may ever reach a judge.
SECRETS = ("capo", "zero_shot", "human", "run-77")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CLAIM_MINUTES = 30.0


def on_both(test):
    """The test is run on SQLite and on PostgreSQL (see conftest)."""
    test.on_both = True
    return test


class Clock:
    """A clock that moves when told; each look takes a second, so that no two acts share a time."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


def frames(
    judges: int = 2, main: int = 4, practice: int = 1, overlap: bool = True
) -> dict[str, pd.DataFrame]:
    """Attributions and comparisons by turns; all judges see the same trials where `overlap`.

    Trial T{n} shows item i{n}; its first text is by capo, a second one by zero_shot. Odd judges
    see sides turned. Cards go 3, 1, 2: letter A is ann-3.
    """
    trials, texts, sealed, assignments, feedback = [], [], [], [], []
    sets = [""] if overlap else [f"s{number}" for number in range(1, judges + 1)]

    def add(trial_id: str, kind: str, phase: str) -> None:
        pair = kind == "comparison"
        ids = [f"X{trial_id}{letter}" for letter in ("pq" if pair else "p")]
        item = f"i{trial_id}"
        trials.append(
            {
                "trial_id": trial_id,
                "kind": kind,
                "phase": phase,
                "item_id": item,
                "target_annotator_id": "ann-2" if pair else "",
                "text_ids": as_cell(ids),
            }
        )
        main_purpose = "practice" if phase == "practice" else "main"
        truth = "ann-1" if not pair else ("a" if phase == "practice" else "")
        for slot, text_id in enumerate(ids):
            texts.append(
                {
                    "text_id": text_id,
                    "item_id": item,
                    "text_a": f"premise of {item}",
                    "text_b": "a hypothesis",
                    "label": "neutral",
                    "explanation": " ".join(["word"] * (3 + 2 * slot)),
                }
            )
            sealed.append(
                {
                    "trial_id": trial_id,
                    "slot": slot,
                    "text_id": text_id,
                    "source": "zero_shot" if slot else "capo",
                    "annotator_id": "ann-1",
                    "run_id": "run-77",
                    "purpose": main_purpose,
                    "mirror_of": "",
                    "truth": truth,
                }
            )

    for extra in sets:
        for number in range(1, practice + 1):
            add(f"P{number}{extra}", "attribution", "practice")
            feedback.append(
                {"trial_id": f"P{number}{extra}", "answer": "ann-1", "note": "Short and plain."}
            )
        for number in range(1, main + 1):
            add(f"T{number:02}{extra}", ("attribution", "comparison")[number % 2 == 0], "main")
    kind_of = {row["trial_id"]: row["kind"] for row in trials}
    for judge in range(1, judges + 1):
        mine = [each for each in kind_of if overlap or each.endswith(f"s{judge}")]
        for position, trial_id in enumerate(mine, start=1):
            pair = kind_of[trial_id] == "comparison"
            order = {
                "cards": ["ann-2"] if pair else ["ann-3", "ann-1", "ann-2"],
                "slots": ([1, 0] if judge % 2 else [0, 1]) if pair else [0],
            }
            assignments.append(
                {
                    "judge_slot": f"J{judge:02}",
                    "trial_id": trial_id,
                    "position": position,
                    "order": as_cell(order),
                }
            )
    cards = [
        {
            "annotator_id": person,
            "examples": as_cell([["a premise", "a hypothesis", "neutral", f"style {place}"]]),
        }
        for place, person in enumerate(PEOPLE)
    ]
    tables = (TRIALS, TEXTS, CARDS, ASSIGNMENTS, FEEDBACK, SEALED)
    rows = (trials, texts, cards, assignments, feedback, sealed)
    return {table.name: frame_of(table, row) for table, row in zip(tables, rows, strict=True)}


class SmallStudy:
    """A loaded study with its owner, its clock and its judges."""

    def __init__(
        self, workspace: Workspace, *, cap: int = 0, name: str = "s1", clock=None, **shape
    ) -> None:
        self.workspace, self.name, self.clock = workspace, name, clock or Clock()
        self.service = StudyService(open_store(workspace), self.clock)
        self.judge_engine = open_judge_store(workspace)
        self.frames = frames(**shape)
        self.terms = Terms(claim_minutes=CLAIM_MINUTES, cap=cap)
        self.service.load(name, self.frames, "hash-1", self.terms)

    def invite(self, count: int = 1) -> list[JudgeDesk]:
        return [self.desk(each.token) for each in self.service.invite(self.name, count)]

    def desk(self, token: str, caller: str = "") -> JudgeDesk:
        return JudgeDesk(self.judge_engine, token, self.clock, caller)

    def judges(self, count: int = 1) -> list[JudgeDesk]:
        """Desks of judges who have come in and consented."""
        desks = self.invite(count)
        for desk in desks:
            desk.open()
            desk.consent()
        return desks

    def dispose(self) -> None:
        self.service.engine.dispose()
        self.judge_engine.dispose()


def answer_all(desk: JudgeDesk, most: int = 1000) -> list[str]:
    """Answer what is shown, each with the first answer; the trials answered."""
    done = []
    while len(done) < most:
        view = desk.next_trial()
        if not hasattr(view, "trial_id"):
            break
        desk.answer(view.trial_id, view.answers[0])
        done.append(view.trial_id)
    return done


def change_last(desk: JudgeDesk) -> str:
    """Give the last trial another answer; the trial."""
    view = desk.last_trial()
    other = next(each for each in view.answers if each != view.earlier.answer)
    desk.answer(view.trial_id, other, replaces=True)
    return view.trial_id
