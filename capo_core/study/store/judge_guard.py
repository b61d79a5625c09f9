"""The fence around the judge's path: what a judge's connection may read and write.

It lists what is allowed, not what is forbidden, and stands twice: every statement is looked
through before it is sent (both databases), and SQLite itself refuses while compiling one.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement, TextClause

from capo_core.study.store import models

READ = frozenset(
    table.name
    for table in (
        models.studies,
        models.trials,
        models.texts,
        models.cards,
        models.assignments,
        models.feedback,
        models.judges,
        models.links,
        models.open_links,
        models.claims,
        models.judgments,
        models.attempts,
    )
)
WRITE = frozenset(
    table.name
    for table in (
        models.judges,
        models.links,
        models.claims,
        models.judgments,
        models.attempts,
        models.audit,
    )
)
DELETE = frozenset((models.attempts.name,))
_FREE = (  # no table is read or written by these
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)


class OffLimits(Exception):
    """A statement on the judge's path uses a table that is not a judge's: a defect of ours."""


def confine(engine: Engine) -> Engine:
    """Confine `engine` to judges' tables; call it before the first connection is made."""
    if engine.dialect.name == "sqlite":
        # After the listener that sets the pragmas: those would be refused from then on.
        event.listen(engine, "connect", _set_authorizer)
    event.listen(engine, "before_execute", _look_through)
    return engine.execution_options(capo_judge=True)


def is_confined(engine: Engine) -> bool:
    """Return whether this engine is confined to judges' tables."""
    return bool(engine.get_execution_options().get("capo_judge"))


def _look_through(connection: Connection, statement: object, *rest: object) -> None:
    if isinstance(statement, TextClause) or not isinstance(statement, ClauseElement):
        raise OffLimits(f"no statement in plain SQL on the judge's path: {statement}")
    target = getattr(statement, "table", None)  # of an insert, update or delete
    if target is not None and target.name not in WRITE:
        raise OffLimits(f"the table {target.name!r} cannot be written on the judge's path")
    for node in visitors.iterate(statement):
        if isinstance(node, TextClause):
            raise OffLimits(f"no plain SQL within a statement on the judge's path: {node}")
        if isinstance(node, Table) and node is not target and node.name not in READ:
            raise OffLimits(f"the table {node.name!r} is not a judge's")


def _set_authorizer(connection: sqlite3.Connection, record: object) -> None:
    connection.set_authorizer(_allowed)


def _allowed(action: int, first: str | None, *rest: object) -> int:
    """Answer SQLite, which asks about each table and column while it compiles a statement."""
    fine = (
        action in _FREE
        or (action == sqlite3.SQLITE_READ and first in READ)
        or (action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE) and first in WRITE)
        or (action == sqlite3.SQLITE_DELETE and first in DELETE)
    )
    return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY
