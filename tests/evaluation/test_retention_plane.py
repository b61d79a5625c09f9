"""Several trainings in one plane: what is compared, what is decided, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.comparisons import world
from helpers.retention_reports import retention
from safetensors.torch import save_file

from capo_core.dashboard.compare.retention import plane_figure
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.evaluation.retention import GENERAL, IMITATION, BestPoint, Retention, load
from capo_core.evaluation.retention_plane import COLUMNS, retention_plane
from capo_core.json_text import json_text
from capo_core.runs.kinds.retention import adapter_parameters
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
    few = {"lora": moved(found, 0.5, 0.05), "oft": moved(found, 0.9, 0.05)}
    few = retention_plane({name: replace(one, n_items=5) for name, one in few.items()})
    assert few.winning["oft"] > 0.99 and "not told apart" in few.statement.text
    small = retention_plane({"lora": moved(found, 0.7, 0.1), "oft": moved(found, 0.72, 0.1)})
    assert 0.4 < small.winning["oft"] < 0.7 and "not told apart" in small.statement.text
    assert small.statement.text.startswith("By point estimate, oft has the best point")
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
    guide = replace(found, general_fingerprint="a")
    with pytest.raises(ConfigError, match="2 general texts"):
        retention_plane({"one": guide, "two": replace(found, general_fingerprint="b")})
    plane = retention_plane({"one": guide, "earlier build": found})
    assert plane.points["training"].nunique() == 2
    with pytest.raises(ConfigError, match="no retention measurement"):
        retention_plane({})
    nothing = replace(found, best=None)
    assert "above a guess" in retention_plane({"one": nothing}).statement.text
    lines = found.lines.copy()
    lines.loc[lines["line"] == "ceiling", "value"] = 0.3  # chance is 1/3
    unknown = retention_plane({"one": replace(nothing, lines=lines)}).statement.text
    assert "above a guess" not in unknown and "the target's own texts to the target no" in unknown
    assert isinstance(found.best, BestPoint) and isinstance(found.points, pd.DataFrame)


def with_best(found: Retention, low: float, high: float, **more) -> Retention:
    """The same with this interval of its best strength, 0.5 of CAPO on the path."""
    best = replace(found.best, stage="capo", strength=0.5, at=1.5, at_low=low, at_high=high)
    return replace(found, best=best, **more)


def test_overshoot_is_said_where_the_interval_excludes_full_strength_alone(found):
    over, open_ = with_best(found, 0.5, 1.5), with_best(found, 0.5, 2.0)
    assert over.overshoots and not open_.overshoots and not found.overshoots  # unknown: nothing
    plane = retention_plane({"over": over, "open": open_})
    (text,) = [one for one in plane.remarks if "best strength" in one]
    assert "over [0.5–1.5] and open [0.5–2]" in text
    assert "Overshoot, the interval excludes full strength: over." in text
    shown = plane.to_dict()["best"]
    assert [shown[name]["overshoot"] for name in ("over", "open")] == [True, False]
    back = Retention.from_dict(json.loads(json_text(over.to_dict())))
    assert back.overshoots and back.best == over.best
    former = found.to_dict()
    del former["best"]["at_low"], former["best"]["at_high"], former["parameters"]
    assert Retention.from_dict(former).best.interval_text() == ""


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1000, 1100), "equal within 10"),
        ((1000, 1101), "no comparison at equal numbers of parameters"),
        ((1000, 0), "not known for all"),
    ],
)
def test_numbers_of_parameters_are_shown_and_checked(found, numbers, words):
    plane = retention_plane(
        {
            name: replace(found, parameters={"sft": n, "capo": n} if n else {})
            for name, n in zip(("lora", "oft"), numbers, strict=True)
        }
    )
    assert words in plane.remarks[0]
    assert plane.parameters == dict(zip(("lora", "oft"), numbers, strict=True))
    assert set(plane.points["parameters"]) == set(numbers)
    hover = plane_figure(plane).data[0].customdata[0]
    assert "1,000 trainable parameters" in hover


def test_parameters_are_counted_in_the_file_of_the_adapter(tmp_path):
    weights = {"a": torch.zeros(2, 3), "b": torch.zeros(5)}
    save_file(weights, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    assert adapter_parameters(tmp_path) == 11
    (tmp_path / "adapter_model.safetensors").write_bytes(b"no")
    assert adapter_parameters(tmp_path) == adapter_parameters(tmp_path / "none") == 0
