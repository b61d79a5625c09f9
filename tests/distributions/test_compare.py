"""Comparisons: coverage is counted, intervals mean what they say, published figures come out."""

import json
import re

import numpy as np
import pytest
from helpers.distribution_sources import (
    judgments,
    published,
    row,
    small_dataset,
    source,
    write_lines,
)
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.distributions import compare as distributions_compare
from capo_core.distributions import paired
from capo_core.distributions.compare import CompareConfig, compare, measure_title
from capo_core.distributions.files import read_judgments
from capo_core.distributions.paired import DIFFERENCES, MeasuredPair
from capo_core.distributions.ranking import rank
from capo_core.distributions.report import DistributionReport, to_html, to_markdown
from capo_core.distributions.sources import dataset_judgments
from capo_core.distributions.wording import in_words
from capo_core.errors import ConfigError, DataError
from capo_core.provenance import Provenance
from capo_core.stats.power import smallest_difference
from capo_core.task import LabelScale, Task

CONFIG = CompareConfig(draws=400)


def drawn(seed, n, sharp=2.0):
    return np.random.default_rng(seed).dirichlet([sharp] * 3, n)


def test_items_of_one_side_only_are_counted_and_not_compared():
    crowd = source("crowd", [[1, 0, 0], [0, 1, 0], [0, 0, 1]], items=["a", "b", "c"])
    model = source("model", [[0, 1, 0], [1, 0, 0]], items=["b", "z"])
    found = compare(judgments(crowd, model), CONFIG)
    (line,) = found.coverage.itertuples(index=False)
    assert tuple(line) == ("model", 2, 1, 1, 2)
    # On the only item of both they are equal; on z, unknown to the crowd, nothing is said.
    assert found.value("model", "TVD") == 0
    assert found.per_item["item_id"].tolist() == ["b"]


def test_nothing_in_common_is_an_error_and_for_one_of_several_a_note():
    crowd = source("crowd", [[1, 0, 0]], items=["a"])
    other = source("model", [[1, 0, 0]], items=["z"])
    with pytest.raises(DataError, match="no source has an item in common"):
        compare(judgments(crowd, other), CONFIG)
    found = compare(judgments(crowd, other, source("x", [[0, 1, 0]], items=["a"])), CONFIG)
    rows = found.table[found.table["source"] == "model"]
    assert rows["value"].isna().all() and set(rows["note"]) == {"no item in both"}
    json.dumps(found.to_dict(), allow_nan=False)


def test_without_a_crowd_it_says_what_there_is():
    made = dataset_judgments(small_dataset(crowd=False))
    with pytest.raises(ConfigError, match="no source 'crowd'"):
        compare(made, CONFIG)
    assert len(compare(made, CompareConfig("annotators", draws=100)).table)


def test_undefined_is_said_in_words():
    crowd = source("crowd", drawn(0, 20))
    found = compare(judgments(crowd, source("u", np.full((20, 3), 1 / 3))), CONFIG)
    rows = found.table.set_index("measure")
    assert np.isnan(rows.at["entropy correlation", "value"])
    assert "undefined" in rows.at["entropy correlation", "note"]
    assert rows.at["D.Corr", "value"] == 0 and "by definition" in rows.at["D.Corr", "note"]


def test_ordinal_scales_have_a_wasserstein_distance():
    scale = LabelScale(("-1", "0", "1"), ordinal=True)
    task = Task("t", scale)
    crowd = source("crowd", [[1, 0, 0]], labels=scale.labels)
    far = source("far", [[0, 0, 1]], labels=scale.labels)
    near = source("near", [[0, 1, 0]], labels=scale.labels)
    found = compare(judgments(crowd, far, near, task=task), CONFIG)
    assert found.value("far", "Wasserstein") == 2 and found.value("near", "Wasserstein") == 1
    assert found.value("far", "TVD") == found.value("near", "TVD") == 1


def test_the_nearer_source_is_named_where_the_difference_is_clear():
    crowd = drawn(1, 200)
    noise = drawn(2, 200)
    near = source("near", 0.8 * crowd + 0.2 * noise)
    far = source("far", 0.4 * crowd + 0.6 * noise)
    twin = source("twin", 0.8 * crowd + 0.2 * drawn(3, 200))
    found = compare(judgments(source("crowd", crowd), near, far, twin), CONFIG)
    rows = found.differences.set_index(["source", "against", "measure"])["nearer"]
    for measure in ("KL", "JSD", "TVD", "D.Corr"):
        assert rows["near", "far", measure] == "near"
    assert rows["near", "twin", "JSD"] == "undecided"


def pair(by_item, *, draws=400):
    weights = np.random.default_rng(0).dirichlet(np.ones(len(by_item)), draws)
    return MeasuredPair("one", "other", by_item.mean(), weights @ by_item, len(by_item), by_item)


@pytest.mark.parametrize(("n", "nearer"), [(5, "undecided"), (6, "other"), (40, "other")])
def test_differences_that_are_all_alike_have_an_interval_and_are_decided_by_it(n, nearer):
    (row,) = paired.tested("TVD", [pair(np.full(n, 0.25))], higher_is_closer=False)
    one = dict(zip(DIFFERENCES, row, strict=True))
    assert one["nearer"] == nearer
    assert one["low"] < one["high"] == one["value"] == 0.25 and (one["low"] > 0) == (n > 5)


def test_an_order_is_what_carries_order_decides(monkeypatch):
    clear = pair(np.linspace(0.1, 0.4, 30))
    assert paired.tested("TVD", [clear], higher_is_closer=False)[0][9] == "other"
    monkeypatch.setattr(paired, "carries_order", lambda *_: False)
    assert paired.tested("TVD", [clear], higher_is_closer=False)[0][9] == "undecided"


def test_every_comparison_has_the_smallest_difference_that_it_detects():
    crowd = drawn(1, 40)
    sources = [source(name, 0.5 * crowd + 0.5 * drawn(seed, 40)) for seed, name in
               enumerate(("a", "b", "c"), 2)]  # fmt: skip
    both = judgments(source("crowd", crowd), *sources)
    result = DistributionReport(both, rank(both, CONFIG), "TVD")
    rows = result.ranking.differences
    rows = rows[(rows["measure"] == "TVD") & ~rows["against"].isin(result.ranking.floors)]
    assert len(rows) == 3
    a, b = (result.ranking.per_item.query("source == @name")["TVD"].to_numpy() for name in "ab")
    error = np.std(a - b, ddof=1) / np.sqrt(40)
    expected = smallest_difference(error, 40, comparisons=3)
    assert rows.query("source == 'a' and against == 'b'")["detectable"].item() == pytest.approx(
        expected
    )
    (text,) = (in_words(one) for one in result.remarks if one.topic == "detectable")
    assert "found with 80 % power on 40 items (3 pairs)" in text
    provenance = Provenance("mine", "f")
    for shown in (to_markdown(result, provenance), to_html(result, provenance)):
        assert text.replace("(", "").replace(")", "") in (
            shown.replace("\\", "").replace("(", "").replace(")", "")
        )
        assert "etectable" in shown and f"{expected:.2f}" in shown
    assert text in result.to_dict()["remarks"]


def test_too_many_items_for_all_pairs_are_said(monkeypatch):
    monkeypatch.setattr(distributions_compare, "MOST_ITEMS", 19)
    crowd, near = drawn(0, 20), drawn(1, 20)
    found = compare(
        judgments(source("crowd", crowd), source("a", near), source("b", drawn(2, 20))), CONFIG
    )
    rows = found.table.set_index(["source", "measure"])
    assert np.isnan(rows.at[("a", "D.Corr"), "value"])
    assert "not computed for more than 19 items" in rows.at[("a", "D.Corr"), "note"]
    assert rows.at[("a", "TVD"), "value"] > 0
    apart = found.differences.set_index("measure")
    assert apart.at["D.Corr", "nearer"] == "undecided"


def test_intervals_cover_the_truth():
    # 40 worlds of 80 items drawn from one population: of 95 % intervals at least 33 hold the
    # population's value (binomial: fewer has probability 0.1 %); D.Corr, too.
    def world(seed, n):
        rng = np.random.default_rng(seed)
        crowd = rng.dirichlet([2, 2, 2], n)
        return source("crowd", crowd), source(
            "model", 0.6 * crowd + 0.4 * rng.dirichlet([2, 2, 2], n)
        )

    truth = compare(judgments(*world(999, 1500)), CompareConfig(draws=100))
    hits = {"TVD": 0, "D.Corr": 0}
    for seed in range(40):
        rows = compare(judgments(*world(seed, 80)), CompareConfig(draws=300)).table
        rows = rows.set_index("measure")
        for measure in hits:
            true = truth.value("model", measure)
            hits[measure] += rows.at[measure, "low"] <= true <= rows.at[measure, "high"]
    assert hits["TVD"] >= 33 and hits["D.Corr"] >= 33


@pytest.mark.parametrize("bad", [{"clip": 0.5}, {"draws": 1}, {"seed": -1}, {"against": ""}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError):
        CompareConfig(**bad)


# Published by Chen et al. 2024 are KL and JSD of the VariErr labels, and JSD and TVD
# of uniform. The others were computed from the same file by other code (SciPy and dcor).
EXPECTED = {
    "varierr labels": {"KL": 3.604, "JSD": 0.282, "D.Corr": 0.688},
    "uniform": {"KL": 0.365, "JSD": 0.307, "TVD": 0.350, "D.Corr": 0.0},
    "mnli labels, single label": {"KL": 9.288, "JSD": 0.422, "TVD": 0.435, "D.Corr": 0.612},
    "mnli labels, distribution": {"KL": 1.242, "JSD": 0.209, "TVD": 0.215, "D.Corr": 0.795},
}


def test_the_published_figures_come_out():
    found = compare(read_judgments(published("NLI_explanations.json")), CONFIG)
    assert set(found.coverage["both"]) == {341}
    for name, values in EXPECTED.items():
        for measure, value in values.items():
            assert round(found.value(name, measure), 3) == pytest.approx(value, abs=5e-4)
    # Published as 0.296: the data do not give that.
    assert found.value("varierr labels", "TVD") == pytest.approx(0.286, abs=5e-4)


def run(*args):
    return CliRunner().invoke(app, ["distributions", *map(str, args)])


def test_the_command_prints_every_source_and_plain_errors(tmp_path):
    lines = [row(k, label=[0.5, 0.25, 0.25], model=[0.25, 0.5, 0.25]) for k in range(3)]
    lines[0]["chaos"] = lines[1]["chaos"] = [1, 0, 0]
    write_lines(tmp_path / "f.json", lines)
    done = run("compare", "--file", tmp_path / "f.json", "--json")
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    tvd = {row["source"]: row for row in said["sources"] if row["measure"] == "TVD"}
    assert tvd["model"]["value"] == 0.75 and tvd["model"]["n"] == 2 and said["clip"] == 1e-10
    assert {line["source"]: line["only_source"] for line in said["coverage"]}["model"] == 1
    assert "Items that the crowd lacks are excluded: “label” and “model” 1." in " ".join(
        run("compare", "--file", tmp_path / "f.json").stdout.split()
    )
    done = run("compare", "--file", tmp_path / "f.json", "--against", "nobody")
    assert done.exit_code == 2 and "Traceback" not in done.stderr
    assert "no source 'nobody'" in done.stderr


def test_the_distance_is_called_a_distance_wherever_it_is_printed(tmp_path):
    """Finding 46: "JSD" stood for the square root of what the field prints under this name."""
    lines = [row(k, label=[0.5, 0.25, 0.25], model=[0.25, 0.5, 0.25]) for k in range(8)]
    lines = [line | {"chaos": [0.6, 0.2, 0.2]} for line in lines]
    write_lines(tmp_path / "f.json", lines)
    page = tmp_path / "r.html"
    done = run("compare", "--file", tmp_path / "f.json", "--out", page)
    assert done.exit_code == 0, done.stderr
    for text in (done.stdout, page.read_text()):
        assert "JS distance" in text and not re.search(r"\bJSD\b", text)
    assert measure_title("JSD") == "JS distance"
