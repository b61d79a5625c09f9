"""The judge's desk: everything that the judge's page can read and do.

Nothing is kept here between calls: every call looks up the link again, so that a revoked one ends
at once, and finds where the judge is from what is on disk. A refresh, a second device or a killed
server loses nothing. No module that this one imports knows the sealed table (see
`store.judge_guard`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import IntegrityError

from capo_core.errors import StudyError
from capo_core.study.judging import answers, assignments, links, open_links
from capo_core.study.judging.answers import PracticeFeedback, SavedAnswer, pending_feedback
from capo_core.study.judging.assignments import progress_of
from capo_core.study.judging.judge import Judge, JudgeProgress, Terms
from capo_core.study.judging.trial_views import (
    End,
    JudgeAnswer,
    NextStep,
    Pause,
    TrialView,
    claim_step,
    next_step,
)
from capo_core.study.store import audit, rate_limits, read, write
from capo_core.study.store.judge_guard import OffLimits, is_confined
from capo_core.study.store.models import judges

Result = TypeVar("Result")


def own_link(
    engine: Engine,
    token: str,
    participant: str,
    caller: str = "",
    now: Callable[[], datetime] = audit.now,
) -> str:
    """Return the token of a participant's own link, where `token` is of an open link; else `token`.

    Raises:
        StudyError: as `open_links.enter`, or too many wrong links came from `caller`.
    """
    if not read(engine, lambda c: open_links.is_open(c, token)):
        return token
    own = links.new_token()

    def work(connection: Connection) -> str:
        rate_limits.check(connection, caller, now())
        return open_links.enter(connection, token, participant, own, now())

    for _ in range(TRIES - 1):
        try:
            return write(engine, work)
        except IntegrityError:  # another participant took the same place at the same moment
            continue
    return write(engine, work)


TRIES = 20  # at one place, of as many participants as come in the same moment


@dataclass(frozen=True)
class JudgeDesk:
    """One judge, identified by the token of a link.

    Args:
        engine: from `store.open_judge_store`.
        token: as in the link; never logged, and not in this object's `repr`.
        now: the clock; tests give their own.
        caller: who asks, for counting refused links: an address or a session; kept as a hash, and
            for ten minutes only.

    All methods raise `StudyError`, in words for the judge, where the link is unknown, withdrawn
    or over, or the database cannot be reached.
    """

    engine: Engine
    token: str = field(repr=False)
    now: Callable[[], datetime] = audit.now
    caller: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not is_confined(self.engine):
            raise OffLimits("a desk takes the judges' engine (store.open_judge_store), no other")

    def open(self) -> Terms:
        """Open the link, once per browser session, and return the study's terms.

        Raises:
            StudyError: also where too many wrong links came from `caller`.
        """

        def work(connection: Connection) -> Terms:
            at = self.now()
            rate_limits.check(connection, self.caller, at)
            judge = links.holder(connection, self.token, at)
            links.mark_opened(connection, self.token, at)
            audit.note(connection, at, judge.study_id, judge.judge_id, "open")
            _touch(connection, judge, at)
            return judge.terms

        return self._guarded(work, writes=True)

    def consented(self) -> bool:
        """Return whether the judge has agreed to take part."""
        return self._guarded(lambda c: self._judge(c).consented, writes=False)

    def consent(self) -> None:
        """Record that the judge agrees to take part; repeating it changes nothing."""

        def work(connection: Connection) -> None:
            judge, at = self._judge(connection), self.now()
            if not judge.consented:
                _touch(connection, judge, at, consented=at)
                audit.note(connection, at, judge.study_id, judge.judge_id, "consent")

        self._guarded(work, writes=True)

    def next_trial(self) -> TrialView | Pause | End:
        """Return what to show: the same trial until it is answered, also on another device.

        Raises:
            StudyError: also before `consent`.
        """

        at = self.now()

        def look(connection: Connection) -> tuple[Judge, NextStep]:
            judge = self._judge(connection)
            _need_consent(judge)
            return judge, next_step(connection, judge, at)

        def take(connection: Connection) -> TrialView | Pause | End:
            # Found again, now that nobody else can take it.
            assignments.lock_for_taking_over(connection, judge)
            _touch(connection, judge, at)
            return claim_step(connection, judge, next_step(connection, judge, at), at)

        def keep(connection: Connection) -> TrialView | Pause | End:
            _touch(connection, judge, at)
            return claim_step(connection, judge, found, at)

        # The search is done before the writer's lock is taken: with many judges, that is what
        # the others wait for. The own places need no lock, places of others do.
        judge, found = self._guarded(look, writes=False)
        return self._guarded(take if judge.takes_over and found.assignment else keep, writes=True)

    def practice_feedback(self) -> PracticeFeedback | None:
        """Return the feedback on a practice answer until the judge has gone on from it, else None.

        Raises:
            StudyError: also before `consent`.
        """

        def work(connection: Connection) -> PracticeFeedback | None:
            judge = self._judge(connection)
            _need_consent(judge)
            return pending_feedback(connection, judge, self.now())

        return self._guarded(work, writes=False)

    def answer(
        self,
        trial_id: str,
        answer: str,
        confidence: str = "",
        reason: str = "",
        shown_at: datetime | None = None,
        *,
        replaces: bool = False,
        layout: str = "",
    ) -> SavedAnswer:
        """Save the answer to a trial that was shown; when this returns, it is on disk.

        Safe to repeat: the same answer again is the same answer, not a second one.

        Args:
            answer: one of the view's `answers`.
            confidence: "1" to "4", or empty.
            reason: at most `answering.LONGEST_REASON` characters; control characters are removed.
            shown_at: when the page showed the trial, where that was after the view's `shown_at`.
            replaces: whether another answer to this trial, if it is the judge's last one, is
                replaced; the former stays in the history.
            layout: one of `tables.LAYOUTS`, how the browser showed two texts; others are not kept.

        Raises:
            StudyError: also where the trial was not shown to this judge, has another answer
                already (without `replaces`, or not the last one), or the study is closed.
        """

        def work(connection: Connection) -> SavedAnswer:
            judge, at = self._judge(connection), self.now()
            _need_consent(judge)
            given = answers.validated(JudgeAnswer(answer, confidence, reason))
            saved = answers.save(
                connection, judge, trial_id, given, shown_at, at, replaces=replaces, layout=layout
            )
            _touch(connection, judge, at)
            return saved

        try:
            return self._guarded(work, writes=True)
        except IntegrityError:
            # Another tab of this judge, or another judge at this place, was faster by a moment:
            # what it wrote is seen now, and decides.
            return self._guarded(work, writes=True)

    def last_trial(self) -> TrialView:
        """Return the trial of the last answer, to change it: the answer is `earlier`, and stands
        until `answer` is called with `replaces`.

        Raises:
            StudyError: also where there is no answer yet, it was a practice trial, or the study
                is closed.
        """
        return self._guarded(
            lambda c: answers.last_trial(c, self._judge(c), self.now()), writes=False
        )

    def pause(self) -> None:
        """Pause the session; the same link resumes it."""
        self._note_now("paused")

    def resume(self) -> None:
        """Resume after a pause."""
        self._note_now("paused", off=True)

    def go_on(self) -> None:
        """Take over open assignments of others after finishing the own ones."""
        self._note_now("goes_on")

    def progress(self) -> JudgeProgress:
        """Return the judge's progress: "12 of 60", and the minutes left."""
        return self._guarded(lambda c: progress_of(c, self._judge(c), self.now()), writes=False)

    def participant(self) -> str:
        """Return the participant id that the judge came with; "" without one."""
        return self._guarded(lambda c: self._judge(c).participant, writes=False)

    def way_back(self) -> str:
        """Return the address to return to, with the completion code; empty until everything is
        answered, and where the study has none."""
        code = self.completion_code()
        if not code:
            return ""
        judge = self._guarded(self._judge, writes=False)
        return judge.terms.way_back(code, judge.participant)

    def completion_code(self) -> str:
        """Return the code that proves completion; empty until everything is answered."""

        def work(connection: Connection) -> str:
            judge, at = self._judge(connection), self.now()
            own_only = replace(judge, goes_on=False)  # what was taken on besides does not count
            progress = progress_of(connection, own_only, at)
            return judge.completion_code if 0 < progress.total == progress.done else ""

        return self._guarded(work, writes=False)

    def _judge(self, connection: Connection) -> Judge:
        return links.holder(connection, self.token, self.now())

    def _note_now(self, column: str, *, off: bool = False) -> None:
        def work(connection: Connection) -> None:
            judge, at = self._judge(connection), self.now()
            _touch(connection, judge, at, **{column: None if off else at})

        self._guarded(work, writes=True)

    def _guarded(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        """Run `work` in a transaction; an unknown link is counted against the caller."""
        try:
            return write(self.engine, work) if writes else read(self.engine, work)
        except links.UnknownLink:
            write(self.engine, lambda c: rate_limits.count_refusal(c, self.caller, self.now()))
            raise


def _need_consent(judge: Judge) -> None:
    if not judge.consented:
        raise StudyError("you have not agreed to take part yet", todo="return to the welcome page")


def _touch(connection: Connection, judge: Judge, at: datetime, **values: datetime | None) -> None:
    """Note that the judge is active, which keeps their own open assignments reserved."""
    connection.execute(
        update(judges).where(judges.c.judge_id == judge.judge_id).values(last_seen=at, **values)
    )
