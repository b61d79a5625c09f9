"""Calibration: quick forms of what `make soak` runs at full size."""

import json

import numpy as np
import pytest
from scipy import stats

from capo_core.errors import ConfigError
from capo_core.stability.calibration import Calibration, CalibrationConfig, calibrate, expected_z


@pytest.fixture(scope="module")
def planted():
    return calibrate(
        CalibrationConfig(
            items=150, strengths=(0.0, 0.5, 1.5), datasets=2, reductions=("none",), permutations=100
        )
    )


def test_found_rises_with_planted(planted):
    summary = planted.summary
    for (_, _, k), rows in summary.groupby(["representation", "reduction", "k"]):
        accuracy = rows.sort_values("manner")["accuracy"].to_numpy()
        assert (np.diff(accuracy) > 0).all(), k


def test_planted_phrases_are_found(planted):
    recovery = planted.recovery.set_index("manner")
    assert recovery.loc[1.5, "detectable"] >= 20
    assert recovery.loc[1.5, "share"] >= 0.9


def test_it_survives_json(planted):
    raw = json.loads(json.dumps(planted.to_dict(), allow_nan=False))
    assert Calibration.from_dict(raw).to_dict() == planted.to_dict()


def test_expected_z_by_hand():
    # 30 of 100 against 10 of 100, half a count added: log odds -0.837 and -2.154; variance
    # 1/30.5 + 1/70.5 + 1/10.5 + 1/90.5 = .1533.
    assert expected_z(0.3, 0.1, 100, 100) == pytest.approx(
        (-0.8380 + 2.1540) / 0.1533**0.5, abs=0.01
    )


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="0 or more"):
        CalibrationConfig(strengths=(-1,))
    with pytest.raises(ConfigError, match="datasets"):
        CalibrationConfig(datasets=0)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["nli", "paraphrase"])
def test_on_100_null_data_sets_p_values_are_uniform_and_intervals_cover(task, capsys):
    """No manner planted, 100 seeds: Kolmogorov–Smirnov p > .01, coverage 92–98 % over all views."""
    result = calibrate(
        CalibrationConfig(
            task=task,
            items=300,
            strengths=(0.0,),
            datasets=100,
            pool=(1, 2, 4, 8),
            permutations=200,
        )
    )
    with capsys.disabled():
        print(f"\n{task}\n", result.summary.to_string())
    summary = result.summary
    assert (summary["ks_p"] > 0.01).all()
    # Each cell has 100 data sets: its share has a standard error of 2 points, so that the claim is
    # held for each k over views, and each cell to what chance allows.
    for k, rows in summary.groupby("k"):
        assert 0.92 <= rows["covered"].sum() / rows["n"].sum() <= 0.98, k
    lowest = stats.binom.ppf(0.001, 100, 0.95)
    assert (summary["covered"] >= lowest).all()
