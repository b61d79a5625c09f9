"""The tables of the studies' database, except the sealed sources (those are in `store.sealed`).

One row of `studies` is a frozen study; the tables of `study.tables` that a judge may see are
loaded beside it and never change. What people do is in `judges`, `links`, `claims`, `judgments`,
`attempts` and `audit`. Triggers of the migrations hold `judgments` and `audit` append-only.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    and_,
    text,
)

from capo_core import schema
from capo_core.study import tables

HEAD = "0003"  # the version of the schema that this code speaks; see migrations/versions
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)
Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up Integer keys only


class UtcTime(TypeDecorator):
    """An instant: aware in Python, stored in UTC without a zone, so that both databases agree."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect):
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect):
        return None if value is None else value.replace(tzinfo=UTC)


def loaded(name: str, of: schema.Table, into: MetaData, owner: Column | None = None) -> Table:
    """Return a table of a frozen study as stored: its columns, under the study's identifier."""
    return Table(
        name,
        into,
        owner if owner is not None else Column("study_id", Text, primary_key=True),
        *(
            Column(
                column.name,
                Integer if column.kind == "count" else Text,
                primary_key=column.name in of.key,
                autoincrement=False,
                nullable=False,
            )
            for column in of.columns
        ),
    )


def _study(**options) -> Column:
    return Column("study_id", Text, ForeignKey("studies.study_id"), nullable=False, **options)


studies = Table(
    "studies",
    metadata,
    Column("study_id", Text, primary_key=True),
    Column("terms", Text, nullable=False),  # JSON of `terms.Terms`: what judges may know
    Column("frozen_hash", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("closed", UtcTime),
    Column("unblinded", UtcTime),
)
trials, texts, cards, assignments, feedback = (
    loaded(table.name, table, metadata, _study(primary_key=True)) for table in tables.SHOWN
)
judges = Table(
    "judges",
    metadata,
    Column("judge_id", Text, primary_key=True),
    _study(),
    Column("judge_slot", Text, nullable=False),  # empty: a reserve, without places of its own
    Column("note", Text, nullable=False),  # the owner's, never shown to judges
    Column("invited", UtcTime, nullable=False),
    Column("consented", UtcTime),
    Column("paused", UtcTime),
    Column("goes_on", UtcTime),  # done with its own places, and takes open ones of others
    Column("last_seen", UtcTime),
    Column("revoked", UtcTime),
    Column("completion_code", Text, nullable=False),
    Column("participant", Text, nullable=False, server_default=""),  # a platform's id; often none
)
Index(
    "one_judge_a_slot",
    judges.c.study_id,
    judges.c.judge_slot,
    unique=True,
    sqlite_where=text("revoked IS NULL AND judge_slot <> ''"),
    postgresql_where=text("revoked IS NULL AND judge_slot <> ''"),
)
Index(
    "one_judge_a_participant",
    judges.c.study_id,
    judges.c.participant,
    unique=True,
    sqlite_where=text("participant <> ''"),
    postgresql_where=text("participant <> ''"),
)
open_links = Table(  # of a study, for the participants of a platform: each gets a judge's link
    "open_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _study(index=True),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("revoked", UtcTime),
    Column("places", Integer, nullable=False),  # participants at most
)
links = Table(
    "links",
    metadata,
    Column("token_hash", Text, primary_key=True),  # SHA-256; the token itself is never stored
    Column("judge_id", Text, ForeignKey("judges.judge_id"), nullable=False, index=True),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("revoked", UtcTime),
    Column("opened", UtcTime),
)
claims = Table(
    "claims",
    metadata,
    _study(primary_key=True),
    Column("judge_id", Text, ForeignKey("judges.judge_id"), primary_key=True),
    Column("trial_id", Text, primary_key=True),
    Column("judge_slot", Text, nullable=False),  # whose place the judge is to fill
    Column("shown", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Index("ix_claims_place", "study_id", "judge_slot", "trial_id"),
)
judgments = Table(
    "judgments",
    metadata,
    Column("judgment_id", Number, primary_key=True, autoincrement=True),
    _study(),
    Column("judge_id", Text, ForeignKey("judges.judge_id"), nullable=False),
    Column("trial_id", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("judge_slot", Text, nullable=False),  # through whose assignment the judge came to it
    Column("place", Text, nullable=False),  # the slot it fills; empty: practice, or one too many
    Column("displayed", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("confidence", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("shown", UtcTime, nullable=False),
    Column("answered", UtcTime, nullable=False),
    Column("withdrawn", UtcTime),  # the one column that may change, once
    ForeignKeyConstraint(("study_id", "trial_id"), ("trials.study_id", "trials.trial_id")),
)
Index(
    "one_standing_judgment",
    judgments.c.study_id,
    judgments.c.judge_id,
    judgments.c.trial_id,
    unique=True,
    sqlite_where=text("withdrawn IS NULL"),
    postgresql_where=text("withdrawn IS NULL"),
)
Index(
    "one_judgment_a_place",
    judgments.c.study_id,
    judgments.c.place,
    judgments.c.trial_id,
    unique=True,
    sqlite_where=text("withdrawn IS NULL AND place <> ''"),
    postgresql_where=text("withdrawn IS NULL AND place <> ''"),
)
attempts = Table(  # refused links and passwords, by a hash of who asked; rows go after the window
    "attempts",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("window_start", UtcTime, primary_key=True),
    Column("count", Integer, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("audit_id", Number, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("study_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Index("ix_audit_study_id", "study_id"),
)


def of_trial(table: Table) -> ColumnElement[bool]:
    """Return the condition that joins `trials` to a table that names study and trial."""
    return and_(trials.c.study_id == table.c.study_id, trials.c.trial_id == table.c.trial_id)
