"""The audit log: who did what to a study, and when. Rows are added; triggers refuse the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from capo_core.json_text import json_line
from capo_core.study.store.models import audit

OWNER = "owner"
EVENTS = (
    "create",
    "invite",
    "revoke",
    "release",
    "open",
    "consent",
    "answer",
    "change",
    "close",
    "unblind",
    "export",
    "simulate",
)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def note(
    connection: Connection, at: datetime, study_id: str, actor: str, event: str, **details: Any
) -> None:
    """Add one line in the transaction of what it tells of, so that neither is there alone.

    Args:
        actor: `OWNER`, or a judge's identifier.
        event: one of `EVENTS`.
        details: JSON-able; never a token, a password or a source.
    """
    if event not in EVENTS:
        raise ValueError(f"{event!r} is not an event of the audit log")
    connection.execute(
        insert(audit).values(
            at=at,
            study_id=study_id,
            actor=actor,
            event=event,
            details=json_line(details, sort_keys=True),
        )
    )
