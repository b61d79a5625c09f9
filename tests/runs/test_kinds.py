"""The registry of kinds, and the work of those that begin at once, run in this process."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from capo_core.errors import ConfigError, DataError, RunError
from capo_core.evaluation.table import TableConfig
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import EVALUATION_SETTINGS, SETTINGS, check
from capo_core.runs.kinds import WORK, execute
from capo_core.runs.request import KINDS, RunRequest
from capo_core.stability import store
from capo_core.stability.calibration import CalibrationConfig
from capo_core.workspace import Workspace


def test_every_kind_has_a_label_a_check_and_its_work():
    assert set(KINDS) == set(SETTINGS) == set(WORK)
    assert all(kind.label for kind in KINDS.values())


def test_a_calibration_is_kept_where_the_page_finds_it(tmp_path):
    workspace = Workspace(tmp_path)
    config = CalibrationConfig(
        items=20,
        datasets=1,
        strengths=(0.0, 2.0),
        representations=("stylometry",),
        reductions=("none",),
        pool=(1,),
        permutations=10,
    )
    request = RunRequest("calibration", {"config": config.to_dict()})
    execute(request, workspace, RunFolder(workspace.jobs / "c"), silent)
    found = store.load_calibration(config, workspace)
    assert found.config == config
    assert sorted(found.summary["manner"]) == [0.0, 2.0]


def test_a_dataset_that_changed_meanwhile_is_not_measured(tmp_path):
    settings = {"dataset": "demo-nli", "fingerprint": "of yesterday", "config": {}}
    workspace = Workspace(tmp_path)
    with pytest.raises(DataError, match="'demo-nli' has changed since"):
        execute(
            RunRequest("stability", settings), workspace, RunFolder(workspace.jobs / "s"), silent
        )


def test_an_evaluation_takes_every_setting_of_its_class():
    """An experiment fixes equivalence margins and the kind of annotators before it starts."""
    assert {one.name for one in fields(TableConfig)} == EVALUATION_SETTINGS
    planned = {"margin": 0.05, "alpha_margin": 0.05, "annotator_kind": "experts"}
    settings = {"dataset": "d", "fingerprint": "f", "runs": ["r"]}
    check(RunRequest("evaluate", {**settings, "config": planned}))
    with pytest.raises(ConfigError, match="no setting 'margins' in an evaluation"):
        check(RunRequest("evaluate", {**settings, "config": {"margins": 0.05}}))


def test_a_preflight_of_nothing_is_refused():
    with pytest.raises(RunError, match="'settings' is missing"):
        check(RunRequest("preflight", {"kind": "generate"}))


def test_a_request_of_before_is_read_under_its_new_name(tmp_path):
    raw = {"kind": "rehearsal", "settings": {"steps": 2}}
    (tmp_path / "request.json").write_text(json.dumps(raw))
    assert RunRequest.read(tmp_path) == RunRequest("dummy", {"steps": 2})


def test_what_began_at_once_before_is_read_from_its_configuration(tmp_path):
    raw = {"kind": "stability", "settings": {"dataset": "mine"}}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    assert RunRequest.read(tmp_path) == RunRequest("stability", {"dataset": "mine"})


@pytest.mark.parametrize("content", ["{", "[]", '{"stage": "sft"}', '{"kind": "x", "extra": 1}'])
def test_no_other_configuration_is_taken_for_a_request(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunError, match="has no request"):
        RunRequest.read(tmp_path)
