"""The sequences of a study that no judge holds, and the random parts of a new judge.

Apart from `owner.invitations`, since participants of a platform take places by themselves.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from capo_core.study.store.models import assignments, judges

CODE_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that is taken for another


@dataclass(frozen=True)
class NewJudge:
    """The random parts of a judge, drawn before the transaction, so that it can be repeated."""

    judge_id: str
    token: str = field(repr=False)
    completion_code: str = field(repr=False)


def new_judge(token: str) -> NewJudge:
    """Return a judge to invite. Identifiers are random, and tell neither the order of invitations
    nor how many there are."""
    return NewJudge(
        f"judge-{secrets.token_hex(4)}",
        token,
        "".join(secrets.choice(CODE_LETTERS) for _ in range(8)),
    )


def free_slots(connection: Connection, study_id: str) -> list[str]:
    """Return the sequences that no judge holds, in order."""
    held = select(judges.c.judge_slot).where(
        judges.c.study_id == study_id, judges.c.revoked.is_(None)
    )
    query = (
        select(assignments.c.judge_slot)
        .where(assignments.c.study_id == study_id, assignments.c.judge_slot.not_in(held))
        .group_by(assignments.c.judge_slot)
        .order_by(func.length(assignments.c.judge_slot), assignments.c.judge_slot)
    )
    return list(connection.execute(query).scalars())
