"""Invitations: new judges, new links, reassigned trials, revoked links."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select, update

from capo_core.errors import ConfigError, StudyError
from capo_core.study.judging import links
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.places import NewJudge, free_slots, new_judge
from capo_core.study.store import audit
from capo_core.study.store.models import claims, judges, open_links, studies

LONGEST_DAYS = 365
MOST_INVITED = 1000


@dataclass(frozen=True)
class Invitation:
    """A link that was just made; its token is stored nowhere else and cannot be shown again."""

    judge_id: str
    judge_slot: str
    expires: datetime
    token: str = field(repr=False)

    def url(self, base: str) -> str:
        """Return the address to send, for instance with `base` "http://lab.example:8501"."""
        return f"{base.rstrip('/')}/judge?t={self.token}"


def new_judges(count: int) -> list[NewJudge]:
    """Return judges to invite; `ConfigError` where `count` is out of range."""
    if not 1 <= count <= MOST_INVITED:
        raise ConfigError(f"{count} judges", expected=f"1 to {MOST_INVITED:,}")
    return [new_judge(links.new_token()) for _ in range(count)]


def check_days(days: float) -> None:
    """Raise `ConfigError` unless a link can be valid for so long."""
    if not 0 < days <= LONGEST_DAYS:
        raise ConfigError(
            f"links valid for {days:g} days", expected=f"more than 0, at most {LONGEST_DAYS}"
        )


def invite(
    connection: Connection,
    study_id: str,
    people: list[NewJudge],
    *,
    days: float,
    note: str,
    at: datetime,
) -> list[Invitation]:
    """Give free sequences to `people`; those beyond the free ones are reserves."""
    free = free_slots(connection, study_id)
    slots = free[: len(people)] + [""] * (len(people) - len(free))
    expires = at + timedelta(days=days)
    for person, slot in zip(people, slots, strict=True):
        connection.execute(
            insert(judges).values(
                judge_id=person.judge_id,
                study_id=study_id,
                judge_slot=slot,
                note=note,
                invited=at,
                completion_code=person.completion_code,
            )
        )
        links.issue(connection, person.judge_id, person.token, created=at, expires=expires)
        about = {"judge_id": person.judge_id, "slot": slot}
        audit.note(connection, at, study_id, audit.OWNER, "invite", **about)
    return [
        Invitation(person.judge_id, slot, expires, person.token)
        for person, slot in zip(people, slots, strict=True)
    ]


@dataclass(frozen=True)
class OpenLink:
    """An open link that was just made; its token is stored nowhere else."""

    study_id: str
    places: int
    expires: datetime
    token: str = field(repr=False)

    def url(self, base: str, parameter: str = "") -> str:
        """Return the address to give to a platform; `parameter` is what it adds:
        "PROLIFIC_PID={{%PROLIFIC_PID%}}"."""
        more = f"&{parameter}" if parameter else ""
        return f"{base.rstrip('/')}/judge?t={self.token}{more}"


def open_link(
    connection: Connection, study_id: str, token: str, *, places: int, days: float, at: datetime
) -> OpenLink:
    """Make the open link of a study; former ones end, links of participants stay."""
    if not 1 <= places <= MOST_INVITED:
        raise ConfigError(f"{places} places", expected=f"1 to {MOST_INVITED:,}")
    connection.execute(
        update(open_links)
        .where(open_links.c.study_id == study_id, open_links.c.revoked.is_(None))
        .values(revoked=at)
    )
    expires = at + timedelta(days=days)
    connection.execute(
        insert(open_links).values(
            token_hash=links.hash_of(token),
            study_id=study_id,
            created=at,
            expires=expires,
            places=places,
        )
    )
    audit.note(connection, at, study_id, audit.OWNER, "invite", places=places, open_link=True)
    return OpenLink(study_id, places, expires, token)


def another_link(
    connection: Connection, judge_id: str, token: str, *, days: float, at: datetime
) -> Invitation:
    """Replace a judge's links by a new one; `StudyError` if the judge is unknown or revoked."""
    row = judge_row(connection, judge_id)
    if row.revoked is not None:
        raise StudyError(f"the judge {judge_id} was revoked", todo="invite a new one")
    links.revoke(connection, judge_id, at)
    expires = at + timedelta(days=days)
    links.issue(connection, judge_id, token, created=at, expires=expires)
    about = {"judge_id": judge_id, "again": True}
    audit.note(connection, at, row.study_id, audit.OWNER, "invite", **about)
    return Invitation(judge_id, row.judge_slot, expires, token)


def revoke(connection: Connection, judge_id: str, at: datetime) -> None:
    """End a judge's links for good; twice changes nothing. `StudyError`: no such judge."""
    row = judge_row(connection, judge_id)
    links.revoke(connection, judge_id, at)
    if row.revoked is None:
        connection.execute(update(judges).where(judges.c.judge_id == judge_id).values(revoked=at))
        audit.note(connection, at, row.study_id, audit.OWNER, "revoke", judge_id=judge_id)


def release(connection: Connection, judge_id: str, at: datetime) -> None:
    """Let others take a judge's open trials at once, until the judge is back."""
    row = judge_row(connection, judge_id)
    terms = connection.execute(
        select(studies.c.terms).where(studies.c.study_id == row.study_id)
    ).scalar_one()
    gone = at - timedelta(minutes=Terms.from_json(terms).claim_minutes)
    connection.execute(update(judges).where(judges.c.judge_id == judge_id).values(last_seen=gone))
    connection.execute(
        update(claims).where(claims.c.judge_id == judge_id, claims.c.until > at).values(until=at)
    )
    audit.note(connection, at, row.study_id, audit.OWNER, "release", judge_id=judge_id)


def judge_row(connection: Connection, judge_id: str) -> Row:
    """Return the judge's row; `StudyError` where there is none."""
    row = connection.execute(select(judges).where(judges.c.judge_id == judge_id)).one_or_none()
    if row is None:
        raise StudyError(f"there is no judge {judge_id!r}", todo="see: study status")
    return row
