"""A frozen study that simulated judges answer: in the database, marked as such, and closed.

For demonstrations. The judges' identifiers begin with `provenance.SIMULATED_JUDGE`, by which every
report and export says that no person judged; the audit log has the settings they were drawn from.
Practice trials are left out, and no link is made.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, Engine, insert, select

from capo_core.errors import StudyError
from capo_core.study.design import draft as design_draft
from capo_core.study.owner.service import StudyService
from capo_core.study.provenance import SIMULATED_JUDGE
from capo_core.study.simulated_judges import (
    START,
    SimulatedJudges,
    SimulatedJudgesConfig,
    SourceEffects,
    simulate_judgments,
)
from capo_core.study.store import audit, write
from capo_core.study.store.models import judges, judgments
from capo_core.study.tables import MAIN
from capo_core.workspace import Workspace

NOTE = "simulated"


def hold(
    workspace: Workspace,
    engine: Engine,
    study_id: str,
    config: SimulatedJudgesConfig,
    effects: SourceEffects | None = None,
) -> None:
    """Load a frozen study into the database, let simulated judges answer it, close and unblind it.

    Args:
        engine: the owner's connection (`store.open_store`).

    Raises:
        StudyError: the study is not frozen, was changed since, or is in the database already.
        DataError: its dataset is gone.
    """
    effects = effects or SourceEffects()
    draft = design_draft.load(workspace, study_id)
    slots = sorted(draft.assignments["judge_slot"].unique())
    made = simulate_judgments(
        draft, SimulatedJudges.drawn(len(slots), config), config.seed, effects, study_id=study_id
    ).judgments
    answered = pd.to_datetime(made["answered"], utc=True)
    # The last answer is given now, and the study was loaded before the first one.
    start = audit.now() - (answered.max().to_pydatetime() - START) - timedelta(minutes=1)
    if not StudyService(engine, lambda: start).take_in(workspace, study_id):
        raise StudyError(f"the study {study_id!r} is in the database already")
    answered = answered - (answered.min() - pd.Timestamp(start)) + pd.Timedelta(minutes=1)
    write(engine, lambda c: _record(c, study_id, made, answered, start, _details(config, effects)))
    service = StudyService(engine)
    service.close(study_id)
    service.unblind(study_id)


def _details(config: SimulatedJudgesConfig, effects: SourceEffects) -> dict:
    names = ("attentiveness", "skill", "left", "doubt", "seconds", "careless", "seed")
    return {
        **{name: getattr(config, name) for name in names},
        "likeness": dict(effects.likeness),
        "strength": dict(effects.strength),
    }


def _record(
    connection: Connection,
    study_id: str,
    made: pd.DataFrame,
    answered: pd.Series,
    start: datetime,
    details: dict,
) -> None:
    if connection.execute(select(judges).where(judges.c.study_id == study_id)).first() is not None:
        raise StudyError(f"the study {study_id!r} has judges already")
    last = answered.groupby(made["judge_id"]).max()
    ids = {slot: f"{SIMULATED_JUDGE}{study_id}-{slot}" for slot in last.index}
    connection.execute(
        insert(judges),
        [
            {
                "judge_id": judge_id,
                "study_id": study_id,
                "judge_slot": slot,
                "note": NOTE,
                "invited": start,
                "consented": start,
                "last_seen": last[slot].to_pydatetime(),
                "completion_code": "",
            }
            for slot, judge_id in ids.items()
        ],
    )
    connection.execute(
        insert(judgments),
        [
            {
                "study_id": study_id,
                "judge_id": ids[row.judge_id],
                "trial_id": row.trial_id,
                "phase": MAIN,
                "judge_slot": row.judge_id,
                "place": row.judge_id,
                "displayed": row.displayed,
                "answer": row.answer,
                "side": row.side,
                "confidence": row.confidence,
                "reason": row.reason,
                "shown": at.to_pydatetime() - timedelta(seconds=row.duration_s),
                "answered": at.to_pydatetime(),
            }
            for row, at in zip(made.itertuples(index=False), answered, strict=True)
        ],
    )
    audit.note(connection, start, study_id, audit.OWNER, "simulate", **details)
