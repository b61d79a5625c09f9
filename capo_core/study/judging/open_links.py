"""Open links: one address for all participants of a platform, each of whom becomes a judge.

Platforms send everybody to one address and add an id of the participant to it. Who comes by it gets
a judge's link of their own; who comes again, with the same id, is the same judge. The id is kept
beside the judge, for paying; it is in no export of judgments.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from capo_core.errors import StudyError
from capo_core.study.judging import links
from capo_core.study.judging.links import UnknownLink, hash_of
from capo_core.study.judging.places import free_slots, new_judge
from capo_core.study.store import audit
from capo_core.study.store.models import judges, open_links, studies

# Names under which platforms and surveys put the participant's id into an address.
PARAMETERS = ("PROLIFIC_PID", "workerId", "participant", "participant_id", "pid")
LONGEST_ID = 64


def participant_of(query: Mapping[str, str]) -> str:
    """Return the participant's id in the parameters of an address; "" where there is none."""
    for name in PARAMETERS:
        found = str(query.get(name, "")).strip()
        if found:
            return found
    return ""


def is_open(connection: Connection, token: str) -> bool:
    """Return whether the token is of an open link, valid or not."""
    return _row(connection, token) is not None


def enter(
    connection: Connection, token: str, participant: str, own_token: str, at: datetime
) -> str:
    """Return the token of the participant's own link, which is `own_token`.

    Args:
        own_token: a new token, drawn before the transaction, so that it can be repeated.

    Raises:
        UnknownLink: no such open link was ever given out.
        StudyError: it was withdrawn, its time is over, the study is closed, all places are taken,
            or the id is missing or too long.
    """
    row = _row(connection, token)
    if row is None:
        raise UnknownLink(
            "this link is not known here", todo=f"check that it is complete, or {links.ASK}"
        )
    if row.revoked is not None:
        raise StudyError("this link was withdrawn", todo=links.ASK)
    if row.expires <= at:
        raise StudyError("this link has expired", todo=links.ASK)
    if not participant:
        raise StudyError(
            "your participant id is missing in the address",
            todo="accept the task on the platform first, and open the link from there",
        )
    if len(participant) > LONGEST_ID or not participant.isprintable():
        raise StudyError(
            "the participant id in the address cannot be used",
            todo="open the link from the platform once more",
        )
    known = connection.execute(
        select(judges.c.judge_id, judges.c.revoked).where(
            judges.c.study_id == row.study_id, judges.c.participant == participant
        )
    ).one_or_none()
    if known is not None:
        if known.revoked is not None:
            raise StudyError("your part in this study was ended", todo=links.ASK)
        links.issue(connection, known.judge_id, own_token, created=at, expires=row.expires)
        return own_token
    study = connection.execute(
        select(studies.c.closed, studies.c.terms)
        .where(studies.c.study_id == row.study_id)
        .with_for_update(key_share=True)
    ).one()
    if study.closed is not None:
        raise StudyError("this study is closed and takes no more participants")
    taken = connection.execute(
        select(func.count())
        .select_from(judges)
        .where(judges.c.study_id == row.study_id, judges.c.participant != "")
    ).scalar_one()
    if taken >= row.places:
        raise StudyError("all places of this study are taken. Thank you for your interest")
    free = free_slots(connection, row.study_id)
    person = new_judge(own_token)
    connection.execute(
        insert(judges).values(
            judge_id=person.judge_id,
            study_id=row.study_id,
            judge_slot=free[0] if free else "",
            note="",
            invited=at,
            completion_code=person.completion_code,
            participant=participant,
        )
    )
    links.issue(connection, person.judge_id, own_token, created=at, expires=row.expires)
    about = {"judge_id": person.judge_id, "slot": free[0] if free else "", "open_link": True}
    audit.note(connection, at, row.study_id, person.judge_id, "invite", **about)
    return own_token


def _row(connection: Connection, token: str):
    wanted = hash_of(token) if 0 < len(token) <= links.LONGEST_TOKEN else ""
    row = connection.execute(
        select(open_links).where(open_links.c.token_hash == wanted)
    ).one_or_none()
    return row if row is not None and hmac.compare_digest(row.token_hash, wanted) else None
