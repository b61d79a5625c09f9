"""What jobs do, run in this process."""

from __future__ import annotations

import pytest

from capo_core.errors import DataError
from capo_core.progress import silent
from capo_core.runs import kinds
from capo_core.stability import store
from capo_core.stability.calibration import CalibrationConfig
from capo_core.workspace import Workspace


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
    kinds.calibration({"config": config.to_dict()}, workspace, silent)
    found = store.load_calibration(config, workspace)
    assert found.config == config
    assert sorted(found.summary["manner"]) == [0.0, 2.0]


def test_a_dataset_that_changed_meanwhile_is_not_measured(tmp_path):
    settings = {"dataset": "demo-nli", "fingerprint": "of yesterday", "config": {}}
    with pytest.raises(DataError, match="not the dataset any more"):
        kinds.stability(settings, Workspace(tmp_path), silent)
