"""Content of the judge's page: the next trial, a pause or the end; nothing names a text's source.

A view holds texts and nothing that names them: no identifier of a text, an item or an annotator.
Cards go by letters in the judge's own order, texts by their place on the screen.

What a judge sees next: the next open trial, a pause, or the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from string import ascii_uppercase
from typing import Any

from sqlalchemy import Connection, select

from capo_core.errors import StudyError
from capo_core.study.judging import assignments
from capo_core.study.judging.assignments import progress_of
from capo_core.study.judging.judge import Judge, JudgeProgress
from capo_core.study.store.models import cards, judgments, texts, trials
from capo_core.study.tables import PRACTICE, from_cell
from capo_core.study.trial_kinds import trial_kind


@dataclass(frozen=True)
class TextView:
    """An item with one label and explanation, as plain text: a page must escape all four."""

    text_a: str
    text_b: str
    label: str
    explanation: str


@dataclass(frozen=True)
class CardView:
    """Examples of one annotator; the letter is the same in all attributions of a judge."""

    letter: str
    examples: tuple[TextView, ...]


@dataclass(frozen=True)
class JudgeAnswer:
    """An answer in the judge's terms: a letter, "left", "tie", "cannot_tell", "4" …"""

    answer: str
    confidence: str
    reason: str


@dataclass(frozen=True)
class TrialView:
    """One trial as this judge sees it.

    Attributes:
        trial_id: random; hand it back with the answer, and key widgets by it.
        kind: a name of `TRIAL_KINDS`.
        cards: those the kind shows, in the judge's order.
        texts: those judged, in the order of the screen; of a pair left and right.
        reference: a text that is not judged, where the kind shows one.
        answers: what may be answered.
        earlier: the answer that is being changed, else None.
        shown_at: since when the trial has been on the screen.
    """

    trial_id: str
    kind: str
    practice: bool
    cards: tuple[CardView, ...]
    texts: tuple[TextView, ...]
    reference: TextView | None
    answers: tuple[str, ...]
    earlier: JudgeAnswer | None
    shown_at: datetime
    progress: JudgeProgress


@dataclass(frozen=True)
class AssignedTrial:
    """A trial in one judge's order, with the identifiers that views leave out."""

    trial_id: str
    kind: str
    phase: str
    text_ids: tuple[str, ...]
    card_ids: tuple[str, ...]
    slots: tuple[int, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the answers that a judge may give, as on the screen."""
        return trial_kind(self.kind).answers(self.card_ids)

    def stored(self, answer: str) -> tuple[str, str]:
        """Return the answer as judgments code it, and the side of the screen that was chosen.

        Raises:
            StudyError: it is none of `answers`.
        """
        if answer not in self.answers:
            raise StudyError(
                f"{answer!r} is not an answer to this trial", expected=f"one of {self.answers}"
            )
        return trial_kind(self.kind).stored(answer, self.card_ids, self.slots)

    def on_screen(self, stored: str) -> str:
        """Return the answer as on the screen, given as judgments code it."""
        return next(answer for answer in self.answers if self.stored(answer)[0] == stored)


def load(connection: Connection, study_id: str, trial_id: str, order: str) -> AssignedTrial:
    """Read a trial with its order (the JSON of an assignment)."""
    row = connection.execute(
        select(trials).where(trials.c.study_id == study_id, trials.c.trial_id == trial_id)
    ).one()
    shown = from_cell(order)
    return AssignedTrial(
        trial_id=trial_id,
        kind=row.kind,
        phase=row.phase,
        text_ids=tuple(from_cell(row.text_ids)),
        card_ids=tuple(shown.get("cards", ())),
        slots=tuple(shown.get("slots", ())),
    )


def contents(connection: Connection, study_id: str, trial: AssignedTrial) -> dict[str, Any]:
    """Return the parts `cards`, `texts` and `reference` of a `TrialView`."""
    shown = {
        row.text_id: TextView(row.text_a, row.text_b, row.label, row.explanation)
        for row in connection.execute(
            select(texts).where(texts.c.study_id == study_id, texts.c.text_id.in_(trial.text_ids))
        )
    }
    examples = {
        row.annotator_id: row.examples
        for row in connection.execute(
            select(cards).where(
                cards.c.study_id == study_id, cards.c.annotator_id.in_(trial.card_ids)
            )
        )
    }
    return arrange(trial, shown, examples)


def arrange(
    trial: AssignedTrial, shown: Mapping[str, TextView], examples: Mapping[str, str]
) -> dict[str, Any]:
    """Return `cards`, `texts` and `reference` of a `TrialView`, in the judge's order.

    Args:
        shown: text id → text. examples: annotator → the cell of the table CARDS.
    """
    kind = trial_kind(trial.kind)
    by_slot = [shown[text_id] for text_id in trial.text_ids]
    slot = kind.reference_slot
    return {
        "cards": tuple(
            CardView(
                letter=ascii_uppercase[position] if kind.lettered else "",
                examples=tuple(TextView(*example) for example in from_cell(examples[annotator])),
            )
            for position, annotator in enumerate(trial.card_ids)
        ),
        "texts": tuple(by_slot[k] for k in trial.slots if k != slot),
        "reference": None if slot is None else by_slot[slot],
    }


@dataclass(frozen=True)
class Pause:
    """The judge has paused; `JudgeDesk.resume` continues."""

    progress: JudgeProgress


@dataclass(frozen=True)
class End:
    """There is nothing to show now.

    Attributes:
        reason: "done"; "nothing_open": a reserve, and all places are taken at present; "closed":
            the study takes no more answers.
        more: open places of others that the judge may take on by `JudgeDesk.go_on`.
    """

    reason: str
    progress: JudgeProgress
    more: int = 0


@dataclass(frozen=True)
class NextStep:
    """The next step; `assignment` is the one to claim for the judge if the step is a trial."""

    view: TrialView | Pause | End
    assignment: assignments.Assignment | None = None


def next_step(connection: Connection, judge: Judge, at: datetime) -> NextStep:
    """Return what a judge who has consented sees next, without changing anything."""
    progress = progress_of(connection, judge, at)
    if judge.closed:
        return NextStep(End("closed", progress))
    if judge.paused:
        return NextStep(Pause(progress))
    found = assignments.practice_assignments(connection, judge) or _main(
        connection, judge, at, progress
    )
    if not found:
        return NextStep(_end(connection, judge, at, progress))
    trial = load(connection, judge.study_id, found[0].trial_id, found[0].order)
    view = TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        answers=trial.answers,
        earlier=_earlier(connection, judge, trial),
        shown_at=at,
        progress=progress,
        **contents(connection, judge.study_id, trial),
    )
    return NextStep(view, found[0])


def claim_step(
    connection: Connection, judge: Judge, found: NextStep, at: datetime
) -> TrialView | Pause | End:
    """Claim a step's trial for the judge and return its view, with since when it has been shown."""
    if found.assignment is None:
        return found.view
    shown_at = assignments.claim(connection, judge, found.assignment, at)
    return replace(found.view, shown_at=shown_at)


def _main(
    connection: Connection, judge: Judge, at: datetime, progress: JudgeProgress
) -> list[assignments.Assignment]:
    found = assignments.own_assignments(connection, judge, at) if judge.judge_slot else []
    if not found and judge.takes_over:
        found = assignments.takeover_assignments(connection, judge, at)
    return assignments.within_cap(found, judge, progress.answered)


def _end(connection: Connection, judge: Judge, at: datetime, progress: JudgeProgress) -> End:
    if not progress.done:
        return End("nothing_open", progress)
    if judge.takes_over:
        return End("done", progress)
    left = assignments.takeover_assignments(connection, judge, at)
    return End("done", progress, more=len(assignments.within_cap(left, judge, progress.answered)))


def _earlier(connection: Connection, judge: Judge, trial: AssignedTrial) -> JudgeAnswer | None:
    """Return the answer that was withdrawn, if the trial had one."""
    row = connection.execute(
        select(judgments.c.answer, judgments.c.confidence, judgments.c.reason)
        .where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            judgments.c.trial_id == trial.trial_id,
        )
        .order_by(judgments.c.judgment_id.desc())
        .limit(1)
    ).one_or_none()
    return row and JudgeAnswer(trial.on_screen(row.answer), row.confidence, row.reason)
