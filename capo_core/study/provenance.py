"""The provenance of what leaves a study: its dataset, the runs behind its sources, its judges."""

from __future__ import annotations

import pandas as pd

from capo_core.data.catalog import data_kind
from capo_core.errors import StudyError
from capo_core.provenance import PEOPLE, UNKNOWN, Provenance
from capo_core.run_folder import RunFolder, made_by
from capo_core.study.design import draft as design_draft
from capo_core.study.design.draft import Draft
from capo_core.study.tables import HUMAN, OTHER_HUMAN
from capo_core.workspace import Workspace


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
        judgments: those that are exported or analysed, for their numbers.
        frozen_hash: of the design; "" for a draft.
    """
    n = _numbers(judgments)
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
    return Provenance(
        config.dataset,
        draft.fingerprint,
        data_kind(workspace, config.dataset, draft.fingerprint),
        models=made["models"],
        seeds=tuple(sorted({*made["seeds"], config.seed})),
        n=n,
        judges=judges,
        details=(("study", config.name), *frozen, *made["details"]),
    )


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
