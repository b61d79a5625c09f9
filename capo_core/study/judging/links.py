"""A judge's link: 128 random bits, stored as a hash only, bound to one judge, revocable.

A plain SHA-256 is enough: against 128 random bits there is nothing to guess, and a salt or a slow
hash defends short secrets that people choose.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from capo_core.errors import StudyError
from capo_core.study.judging.judge import Judge, judge_of
from capo_core.study.store.models import judges, links, studies

TOKEN_BYTES = 16
LONGEST_TOKEN = 64  # longer ones are refused unread
ASK = "ask the person who invited you for a new link"


class UnknownLink(StudyError):
    """The token was never issued: the only refusal that counts as guessing."""


def new_token() -> str:
    """Return a token for an address: 128 bits from the operating system, as 22 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    """Return what the database holds of a link's token: its SHA-256 (hex)."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def issue(
    connection: Connection, judge_id: str, token: str, *, created: datetime, expires: datetime
) -> None:
    """Store `token` as a link of this judge."""
    connection.execute(
        insert(links).values(
            token_hash=hash_of(token), judge_id=judge_id, created=created, expires=expires
        )
    )


def revoke(connection: Connection, judge_id: str, at: datetime) -> int:
    """Withdraw all links of a judge; return how many were still valid."""
    done = connection.execute(
        update(links)
        .where(links.c.judge_id == judge_id, links.c.revoked.is_(None))
        .values(revoked=at)
    )
    return done.rowcount


def holder(connection: Connection, token: str, at: datetime) -> Judge:
    """Return the judge that `token` belongs to.

    Raises:
        UnknownLink: no such link was ever given out.
        StudyError: it was withdrawn, or its time is over.
    """
    wanted = hash_of(token) if 0 < len(token) <= LONGEST_TOKEN else ""
    row = connection.execute(
        select(
            links.c.token_hash,
            links.c.expires,
            links.c.revoked.label("link_revoked"),
            judges,
            studies.c.closed,
            studies.c.terms,
        )
        .join(judges, judges.c.judge_id == links.c.judge_id)
        .join(studies, studies.c.study_id == judges.c.study_id)
        .where(links.c.token_hash == wanted)
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, wanted):
        raise UnknownLink(
            "this link is not known here", todo=f"check that it is complete, or {ASK}"
        )
    if row.link_revoked is not None or row.revoked is not None:
        raise StudyError("this link was withdrawn", todo=ASK)
    if row.expires <= at:
        raise StudyError("this link has expired; what you answered is saved", todo=ASK)
    return judge_of(row)


def mark_opened(connection: Connection, token: str, at: datetime) -> None:
    """Note when a link was first used."""
    connection.execute(
        update(links)
        .where(links.c.token_hash == hash_of(token), links.c.opened.is_(None))
        .values(opened=at)
    )
