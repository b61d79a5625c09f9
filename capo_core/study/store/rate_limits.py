"""Rate limits: refused links and passwords are counted in the database.

The count is kept there, not in memory, so that a restart or a second server process does not give
a guesser new tries. Who asked is stored as a hash, for as long as its window lasts.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from capo_core.errors import StudyError
from capo_core.study.store.models import attempts

WINDOW = timedelta(minutes=10)
TRIES = 20  # for one caller in one window; a laboratory behind one address still gets in


def inserting(connection: Connection):
    """Return the database's own INSERT, which knows ON CONFLICT."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def check(connection: Connection, caller: str, at: datetime) -> None:
    """Raise `StudyError` where `caller` was refused too often of late, until the window ends.

    Asked when somebody comes in, not at each step: a judge at work is not thrown out by guesses
    of a neighbour. An empty `caller` is nobody in particular and never refused.
    """
    if not caller:
        return
    key, start = _key(caller, at)
    count = connection.execute(
        select(func.coalesce(func.sum(attempts.c.count), 0)).where(
            attempts.c.caller == key, attempts.c.window_start == start
        )
    ).scalar_one()
    if count >= TRIES:
        minutes = max(1, round((start + WINDOW - at).total_seconds() / 60))
        raise StudyError(
            "too many wrong links or passwords came from here",
            todo=f"wait {minutes} minute{'s' if minutes > 1 else ''}, then use the right one",
        )


def count_refusal(connection: Connection, caller: str, at: datetime) -> None:
    """Count one more refusal for `caller`; counts of past windows are deleted."""
    key, start = _key(caller, at)
    connection.execute(delete(attempts).where(attempts.c.window_start < start))
    added = inserting(connection)(attempts).values(caller=key, window_start=start, count=1)
    connection.execute(
        added.on_conflict_do_update(
            index_elements=[attempts.c.caller, attempts.c.window_start],
            set_={"count": attempts.c.count + 1},
        )
    )


def _key(caller: str, at: datetime) -> tuple[str, datetime]:
    seconds = at.timestamp() // WINDOW.total_seconds() * WINDOW.total_seconds()
    start = datetime.fromtimestamp(seconds, at.tzinfo)
    return hashlib.sha256(f"{start.isoformat()} {caller}".encode()).hexdigest(), start
