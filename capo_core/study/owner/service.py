"""The owner's side of a study: load, invite, watch the counts, close, unblind, export.

What judges answered stays out of sight until the study is closed; sources are joined to it after
unblinding only. Everything that is done here is in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, Engine, Row, select, update

from capo_core.data.catalog import Catalog
from capo_core.errors import StudyError
from capo_core.study.design import draft as design_draft
from capo_core.study.design.freeze import verify
from capo_core.study.judging import links
from capo_core.study.judging.judge import Terms
from capo_core.study.owner import export, invitations
from capo_core.study.owner import status as owner_status
from capo_core.study.owner.invitations import Invitation, OpenLink
from capo_core.study.owner.status import StudyStatus
from capo_core.study.owner.trials import texts_frame
from capo_core.study.store import audit, read, write
from capo_core.study.store import load as store_load
from capo_core.study.store.judge_guard import OffLimits, is_confined
from capo_core.study.store.models import studies
from capo_core.workspace import Workspace

DAYS = 30  # how long a link is good, unless said otherwise


@dataclass(frozen=True)
class StudyService:
    """Everything the owner can do with studies in the database behind `engine`
    (`store.open_store`)."""

    engine: Engine
    now: Callable[[], datetime] = audit.now

    def __post_init__(self) -> None:
        if is_confined(self.engine):
            raise OffLimits("the judges' engine is not the owner's")

    def load(
        self, study_id: str, frames: Mapping[str, pd.DataFrame], frozen_hash: str, terms: Terms
    ) -> bool:
        """Load a frozen study; return False where it was there already."""
        return write(
            self.engine,
            lambda c: store_load.load(c, study_id, frames, frozen_hash, terms, self.now()),
        )

    def take_in(self, workspace: Workspace, study_id: str) -> bool:
        """Load a frozen study from its folder, unless it is loaded already (then return False).

        Raises:
            StudyError: it is not frozen, or was changed since. DataError: its dataset is gone.
        """
        frozen = verify(workspace, study_id)
        draft = design_draft.load(workspace, study_id)
        task = Catalog(workspace).load(draft.config.dataset).task
        terms = Terms.of(draft.config, task)
        return self.load(study_id, design_draft.tables_of(draft), frozen.hash, terms)

    def names(self) -> list[str]:
        """Return all studies in the database, the newest first."""
        query = select(studies.c.study_id).order_by(studies.c.created.desc())
        return list(read(self.engine, lambda c: c.execute(query).scalars().all()))

    def invite(
        self, study_id: str, count: int = 1, *, days: float = DAYS, note: str = ""
    ) -> list[Invitation]:
        """Make links for `count` judges: first for sequences without a judge, then reserves.

        Args:
            days: how long the links are good.
            note: the owner's own words on them, for the list of judges.

        Raises:
            ConfigError: `count` or `days` out of range. StudyError: no such study, or closed.
        """
        people = invitations.new_judges(count)
        invitations.check_days(days)

        def work(connection: Connection) -> list[Invitation]:
            _only_open(connection, study_id)
            return invitations.invite(
                connection, study_id, people, days=days, note=note, at=self.now()
            )

        return write(self.engine, work)

    def open_link(self, study_id: str, places: int, *, days: float = DAYS) -> OpenLink:
        """Make one link for the participants of a platform; a former one ends.

        Args:
            places: how many participants may come by it; those beyond the free sequences are
                reserves.

        Raises:
            ConfigError: `places` or `days` out of range. StudyError: no such study, or closed.
        """
        invitations.check_days(days)
        token = links.new_token()

        def work(connection: Connection) -> OpenLink:
            _only_open(connection, study_id)
            return invitations.open_link(
                connection, study_id, token, places=places, days=days, at=self.now()
            )

        return write(self.engine, work)

    def participants(self, study_id: str) -> pd.DataFrame:
        """Return who took part, for how long, with the completion code: a row a judge, no answers.

        Columns as in `owner.status.PARTICIPANTS`; noted in the audit log.
        """

        def work(connection: Connection) -> pd.DataFrame:
            study = _study_row(connection, study_id)
            frame = owner_status.participants(connection, study, self.now())
            about = {"participants": len(frame)}
            audit.note(connection, self.now(), study_id, audit.OWNER, "export", **about)
            return frame

        return write(self.engine, work)

    def new_link(self, judge_id: str, *, days: float = DAYS) -> Invitation:
        """Make another link for the same judge, who lost the old one; old ones are withdrawn.

        Raises:
            ConfigError: `days` out of range. StudyError: no such judge, or it was revoked.
        """
        invitations.check_days(days)
        token = links.new_token()
        return write(
            self.engine,
            lambda c: invitations.another_link(c, judge_id, token, days=days, at=self.now()),
        )

    def revoke(self, judge_id: str) -> None:
        """Withdraw a judge's links for good; the answers stay, the open trials are reassigned.

        Raises:
            StudyError: no such judge.
        """
        write(self.engine, lambda c: invitations.revoke(c, judge_id, self.now()))

    def release(self, judge_id: str) -> None:
        """Reassign the open trials of a judge who will not come back; the link stays.

        Raises:
            StudyError: no such judge.
        """
        write(self.engine, lambda c: invitations.release(c, judge_id, self.now()))

    def status(self, study_id: str) -> StudyStatus:
        """Return counts of answers and judges, and nothing of what was answered."""
        return read(
            self.engine, lambda c: owner_status.status(c, _study_row(c, study_id), self.now())
        )

    def close(self, study_id: str) -> None:
        """Close the study for good; closing twice changes nothing."""
        self._stamp(study_id, "closed", "close")

    def unblind(self, study_id: str) -> None:
        """Allow sources to be joined to answers, for good.

        Raises:
            StudyError: no such study, or it is not closed.
        """
        self._stamp(study_id, "unblinded", "unblind")

    def export_judgments(self, study_id: str, *, practice: bool = False) -> pd.DataFrame:
        """Return the table JUDGMENTS: each answer not withdrawn, with its source; noted in the
        audit log.

        Args:
            practice: practice trials too, which no analysis should count.

        Raises:
            StudyError: no such study, or it was not unblinded.
        """

        def work(connection: Connection) -> pd.DataFrame:
            _only_unblinded(_study_row(connection, study_id))
            frame = export.judgments_frame(connection, study_id, practice=practice)
            audit.note(
                connection, self.now(), study_id, audit.OWNER, "export", judgments=len(frame)
            )
            return frame

        return write(self.engine, work)

    def export_history(self, study_id: str) -> pd.DataFrame:
        """Return every answer, also the ones withdrawn. Raises: as `export_judgments`."""

        def work(connection: Connection) -> pd.DataFrame:
            _only_unblinded(_study_row(connection, study_id))
            frame = export.history_frame(connection, study_id)
            audit.note(connection, self.now(), study_id, audit.OWNER, "export", history=len(frame))
            return frame

        return write(self.engine, work)

    def export_texts(self, study_id: str) -> pd.DataFrame:
        """Return the table TRIAL_TEXTS (`owner.trials`): what each trial showed, with its sources;
        noted in the audit log. Raises: as `export_judgments`."""

        def work(connection: Connection) -> pd.DataFrame:
            _only_unblinded(_study_row(connection, study_id))
            frame = texts_frame(connection, study_id)
            audit.note(connection, self.now(), study_id, audit.OWNER, "export", texts=len(frame))
            return frame

        return write(self.engine, work)

    def audit_log(self, study_id: str) -> pd.DataFrame:
        """Return the columns at, actor, event, details, in order of time."""

        def work(connection: Connection) -> pd.DataFrame:
            _study_row(connection, study_id)
            return export.audit_frame(connection, study_id)

        return read(self.engine, work)

    def _stamp(self, study_id: str, column: str, event: str) -> None:
        def work(connection: Connection) -> None:
            at, row = self.now(), _study_row(connection, study_id, lock=True)
            if getattr(row, column) is not None:
                return
            if column == "unblinded" and row.closed is None:
                raise StudyError(
                    f"the study {study_id} is open",
                    todo="close it first: who can see sources may not collect more answers",
                )
            connection.execute(
                update(studies).where(studies.c.study_id == study_id).values(**{column: at})
            )
            audit.note(connection, at, study_id, audit.OWNER, event)

        write(self.engine, work)


def _study_row(connection: Connection, study_id: str, *, lock: bool = False) -> Row:
    query = select(studies).where(studies.c.study_id == study_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise StudyError(
            f"there is no study {study_id!r} in the database",
            todo="freeze it, and invite judges: then it is",
        )
    return row


def _only_open(connection: Connection, study_id: str) -> None:
    if _study_row(connection, study_id, lock=True).closed is not None:
        raise StudyError(f"the study {study_id} is closed", todo="nobody can be invited to it")


def _only_unblinded(row: Row) -> None:
    if row.unblinded is None:
        todo = "unblind it" if row.closed is not None else "close it, then unblind it"
        raise StudyError(
            f"the study {row.study_id} has not been unblinded: sources stay sealed", todo=todo
        )
