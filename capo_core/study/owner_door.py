"""The owner's password, asked for with a limit on wrong ones that outlives the server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from capo_core.study import audit, limits
from capo_core.study.roles import Doors, password_is_right
from capo_core.study.store import read, write


def sign_in(
    engine: Engine,
    given: str,
    doors: Doors,
    caller: str,
    now: Callable[[], datetime] = audit.now,
) -> bool:
    """Is `given` the owner's password? A wrong one is counted against `caller` (an address).

    The page keeps the answer in its session, as `Visitor.signed_in`.

    Raises:
        StudyError: `caller` was wrong too often of late; also the right password is not taken
            from there until the window ends.
    """
    read(engine, lambda connection: limits.check(connection, caller, now()))
    if password_is_right(given, doors):
        return True
    write(engine, lambda connection: limits.count_refusal(connection, caller, now()))
    return False
