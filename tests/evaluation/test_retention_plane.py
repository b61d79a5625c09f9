"""Several trainings in one plane: what is compared, what is decided, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import world
from helpers.retention_reports import retention

from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.evaluation.retention import GENERAL, IMITATION, BestPoint, Retention, load
from capo_core.evaluation.retention_plane import COLUMNS, retention_plane
from capo_core.workspace import Workspace


@pytest.fixture
def found(tmp_path) -> Retention:
    workspace = Workspace(tmp_path)
    entry = Catalog(workspace).add(world())
    return load(retention(workspace, entry, "some-run", "ann").path)


def moved(found: Retention, share: float, width: float) -> Retention:
    """The same with other attribution at its best point (SFT), of this half-width."""
    points = found.points.copy()
    at = (points["measure"] == IMITATION) & (points["at"] == 1.0)
    points.loc[at, ["value", "low", "high"]] = [share, share - width, share + width]
    return replace(found, points=points)


def test_paths_have_attribution_and_what_is_kept(found):
    plane = retention_plane({"one": found})
    assert tuple(plane.points.columns) == COLUMNS and len(plane.points) == 5
    end = plane.points.iloc[-1]
    assert (end["attribution"], end["kept"]) == (0.9, 0.5)  # twice the perplexity: half is kept
    assert end["kept_low"] < 0.5 < end["kept_high"]
    assert plane.points[plane.points["best"]]["at"].tolist() == [1.0]
    assert plane.measure == GENERAL and plane.ceiling == 0.95
    assert plane.winning == {"one": 1.0} and "best of" not in plane.statement.text


def test_a_clear_difference_is_decided_and_a_small_one_is_not(found):
    clear = retention_plane({"lora": moved(found, 0.5, 0.05), "oft": moved(found, 0.9, 0.05)})
    assert clear.winning["oft"] > 0.99 and "not told apart" not in clear.statement.text
    assert clear.statement.text.startswith("oft has the best point: strength 1 of SFT")
    small = retention_plane({"lora": moved(found, 0.7, 0.1), "oft": moved(found, 0.72, 0.1)})
    assert 0.4 < small.winning["oft"] < 0.7 and "not told apart" in small.statement.text
    assert sum(small.winning.values()) == pytest.approx(1)


def test_equal_trainings_share_the_draws_and_nothing_is_claimed(found):
    rng_free = retention_plane({name: moved(found, 0.7, 0.0) for name in "abc"})
    assert np.allclose(list(rng_free.winning.values()), 1 / 3, atol=0.03)
    assert "not told apart" in rng_free.statement.text


def test_what_was_not_measured_alike_is_refused(found):
    for other, what in (
        (replace(found, target="bob"), "annotators"),
        (replace(found, base="another"), "base models"),
        (replace(found, n_items=19), "sets of items"),
    ):
        with pytest.raises(ConfigError, match=what):
            retention_plane({"one": found, "two": other})
    with pytest.raises(ConfigError, match="no retention measurement"):
        retention_plane({})
    nothing = replace(found, best=None)
    assert "above a guess" in retention_plane({"one": nothing}).statement.text
    assert isinstance(found.best, BestPoint) and isinstance(found.points, pd.DataFrame)
