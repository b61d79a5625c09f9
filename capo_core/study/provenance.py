"""The provenance of what leaves a study: its dataset, the runs behind its sources, its judges."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from capo_core.data.catalog import data_kind
from capo_core.errors import StudyError
from capo_core.provenance import BOTH, PEOPLE, SIMULATED, UNKNOWN, Provenance
from capo_core.run_folder import RunFolder, made_by
from capo_core.study.design import draft as design_draft
from capo_core.study.design.draft import Draft
from capo_core.study.tables import HUMAN, OTHER_HUMAN
from capo_core.workspace import Workspace

SIMULATED_JUDGE = "simulated-"  # how the identifier of a simulated judge in the database begins


def study_provenance(
    workspace: Workspace,
    study: Draft | str,
    *,
    judges: str = PEOPLE,
    judgments: pd.DataFrame | None = None,
    frozen_hash: str = "",
) -> Provenance:
    """Return the provenance of a study's exports.

    Args:
        study: its draft or its name; where its folder is gone or damaged, what the database has is
            exported all the same, with the name alone.
        judges: who judged, `provenance.PEOPLE` or `provenance.SIMULATED`; "" before anybody did.
            Judges in the judgments whose identifier says so are simulated all the same.
        judgments: those that are exported or analysed, for their numbers.
        frozen_hash: of the design; "" for a draft.
    """
    n = _numbers(judgments)
    if judges == PEOPLE and judgments is not None:
        if "judge_id" in judgments:
            judges = who_judged(judgments["judge_id"])
        elif "event" in judgments and (judgments["event"] == "simulate").any():
            judges = SIMULATED  # the audit log, which names judges only where they acted
    try:
        draft = design_draft.load(workspace, study) if isinstance(study, str) else study
    except StudyError:
        return Provenance("", "", UNKNOWN, n=n, judges=judges, details=(("study", str(study)),))
    config = draft.config
    made = made_by(
        RunFolder(workspace.runs / name)
        for source, names in config.sources.items()
        if source not in (HUMAN, OTHER_HUMAN)
        for name in names
    )
    frozen = (("frozen", frozen_hash[:16]),) if frozen_hash else ()
    titled = (("study title", config.title),) if config.title else ()
    return Provenance(
        config.dataset,
        draft.fingerprint,
        data_kind(workspace, config.dataset, draft.fingerprint),
        models=made["models"],
        seeds=tuple(sorted({*made["seeds"], config.seed})),
        n=n,
        judges=judges,
        details=(("study", config.name), *titled, *frozen, *made["details"]),
    )


def who_judged(judge_ids: Iterable[str]) -> str:
    """Return `provenance.PEOPLE`, `SIMULATED` or `BOTH`, by the identifiers of the judges."""
    simulated = {name.startswith(SIMULATED_JUDGE) for name in judge_ids}
    return BOTH if len(simulated) == 2 else SIMULATED if simulated == {True} else PEOPLE


def _numbers(judgments: pd.DataFrame | None) -> tuple[tuple[str, int], ...]:
    if judgments is None:
        return ()
    distinct = {"judge": "judge_id", "item": "item_id"}
    counted = [
        (noun, int(judgments[column].nunique()))
        for noun, column in distinct.items()
        if column in judgments
    ]
    return (("row", len(judgments)), *counted)
