"""The report of a study from its draft and judgments: one way for pages and command line."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from capo_core.formatting import natural_order
from capo_core.provenance import PEOPLE
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.report import StudyFacts, StudyReport
from capo_core.study.analysis.style_control import text_style
from capo_core.study.design.draft import Draft
from capo_core.study.design.freeze import Frozen
from capo_core.study.provenance import study_provenance
from capo_core.workspace import Workspace


def make_report(
    workspace: Workspace,
    draft: Draft,
    judgments: pd.DataFrame,
    options: AnalysisSettings,
    *,
    frozen: Frozen | None = None,
    judges: str = PEOPLE,
) -> StudyReport:
    """Analyse the judgments of a study, with what its design says: margin, texts, facts.

    Args:
        frozen: the record of the frozen study; None for a draft.
        judges: who judged, `provenance.PEOPLE` or `provenance.SIMULATED`.

    Raises:
        DataError: as `analyse`.
    """
    config = draft.config
    facts = StudyFacts(
        seed=config.seed,
        planned=config.planned_analysis,
        equivalence_margin=config.equivalence_margin,
        title=config.title,
        targets=config.targets,
    )
    if frozen is not None:
        facts = replace(
            facts,
            frozen_hash=frozen.hash,
            frozen=frozen.frozen,
            invited=draft.assignments["judge_slot"].nunique(),
            leaks=tuple(sorted(frozen.leaks.items())),
        )
    options = replace(options, equivalence_margin=config.equivalence_margin)
    annotators = tuple(natural_order(draft.cards["annotator_id"]))
    found = analyse(judgments, annotators, options, text_style(draft))
    made = study_provenance(
        workspace, draft, judges=judges, judgments=judgments, frozen_hash=facts.frozen_hash
    )
    return StudyReport(found, facts, made)
