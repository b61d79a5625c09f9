"""A study that simulated judges answered says so wherever it is read."""

import pytest
from helpers.pages import make
from helpers.study_steps import NAME, put_frozen

from capo_core.dashboard.studies import data
from capo_core.errors import StudyError
from capo_core.provenance import BOTH, PEOPLE, SIMULATED
from capo_core.study.analysis.analysis import AnalysisSettings
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.make_report import make_report
from capo_core.study.design import draft as design_draft
from capo_core.study.owner.service import StudyService
from capo_core.study.owner.simulated_session import hold
from capo_core.study.provenance import study_provenance, who_judged
from capo_core.study.simulated_judges import SimulatedJudgesConfig
from capo_core.study.store import open_store
from capo_core.workspace import Workspace


def test_a_study_of_simulated_judges_says_so(tmp_path):
    workspace = Workspace(tmp_path)
    put_frozen(workspace, make("votes", items=60))
    engine = open_store(workspace)
    hold(workspace, engine, NAME, SimulatedJudgesConfig(seed=3))
    with pytest.raises(StudyError, match="already"):
        hold(workspace, engine, NAME, SimulatedJudgesConfig())
    service = StudyService(engine)
    status = service.status(NAME)
    assert status.state == "unblinded" and status.filled == status.places > 0
    assert {judge.state for judge in status.judges} == {"done"}
    assert status.created < status.closed
    judgments = service.export_judgments(NAME)
    assert study_provenance(workspace, NAME, judgments=judgments).judges == SIMULATED
    draft = design_draft.load(workspace, NAME)
    report = make_report(workspace, draft, judgments, AnalysisSettings(draws=20))
    assert report.provenance.judges == SIMULATED
    assert "Simulated judges: " in to_latex(report) and "no person judged" in to_latex(report)
    seen = data.see(workspace, service, NAME)
    assert seen.simulated_judges and seen.standing.startswith("simulated judges: ")
    assert data.simulated_of([seen], "votes") == 1 and data.simulated_of([seen], "other") == 0
    log = service.audit_log(NAME)
    assert study_provenance(workspace, NAME, judgments=log).judges == SIMULATED
    assert "attentiveness" in log.loc[log["event"] == "simulate", "details"].iloc[0]
    engine.dispose()


def test_who_judged_is_told_by_identifiers():
    assert who_judged(["judge-1", "judge-2"]) == who_judged([]) == PEOPLE
    assert who_judged(["simulated-s-J01"]) == SIMULATED
    assert who_judged(["simulated-s-J01", "judge-1"]) == BOTH
