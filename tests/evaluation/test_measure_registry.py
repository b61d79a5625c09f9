"""A measure is added in one place, and is then wherever measures are."""

import json

import numpy as np
import pytest
from helpers.evaluation_tables import CONFIG, VIEW, copies, made_up_vectors

from capo_core.cli import evaluate as command
from capo_core.dashboard.compare import scores
from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError
from capo_core.evaluation import export
from capo_core.evaluation.compute import compute_report, expected_measures
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.measures.registry import (
    FAMILIES,
    HIGHER,
    MEASURES,
    SCORED,
    families_by_interest,
    find_measure,
    measure,
    measures_of,
)
from capo_core.evaluation.streams import held_out_items
from capo_core.evaluation.table import ALL
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.text.embeddings import Embedder

NAME = "first label"


@pytest.fixture
def added():
    """Add a measure of labels, for one test."""
    before = dict(MEASURES)

    @measure(
        NAME,
        family="labels",
        better=HIGHER,
        headline=True,
        decimals=4,
        meaning="Share of answers with the first label of the scale.",
    )
    def first_label(stream, scale, target_labels):
        hits = np.array([label == scale.labels[0] for label in stream.labels], float)
        return item_mean(hits, stream.item, n_items=len(target_labels))

    yield first_label
    MEASURES.clear()
    MEASURES.update(before)


@pytest.fixture
def report(added):
    made = simulate(SimulationConfig(task="nli", items=60, annotators=3, style=1.5, seed=5))
    world = assign_splits(made.dataset, seed=1)
    ids = held_out_items(world)
    first = world.task.scale.labels[0]
    outputs = [
        stream
        for name, changes in (("copy", {}), ("always", {"labels": (first,) * len(ids)}))
        for stream in copies(world, ids, name, lambda target: target, **changes)
    ]
    return compute_report(world, ids, outputs, CONFIG, embedder=Embedder(encode=made_up_vectors))


def test_a_new_measure_is_scored_compared_and_exported(report, tmp_path):
    assert report.row("always", NAME).value == 1
    assert 0 < report.row("copy", NAME).value < 1
    rows = report.differences.query("measure == @NAME and target == @ALL and source == 'copy'")
    assert "worse" in set(rows["verdict"])
    assert NAME in export.to_html(report) and NAME in export.to_csv(report)
    lines = [json.loads(line) for line in export.to_jsonl(report).splitlines()]
    assert {line["table"] for line in lines if line["measure"] == NAME} == {"scores", "differences"}


def test_a_new_measure_is_on_the_command_line(report, capsys, monkeypatch):
    monkeypatch.setattr(command.console, "width", 200)
    command.show_scores(report, export.provenance_of(report))
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.strip().startswith(NAME))
    assert "1.0000" in row


def test_a_new_measure_is_a_column_of_compare(report):
    assert scores.Column(NAME, 0) in scores.columns(report, "labels", VIEW.name)
    headlines = scores.columns(report, "main", VIEW.name)
    assert [column.header(300) for column in headlines] == [
        "Attributed to target, 1 text", "Attributed to target, 4 texts", "Label accuracy",
        "First label", "ROUGE-L", "Embedding similarity", "Label consistency", "Style distance",
    ]  # fmt: skip
    narrow = [column.header(118) for column in headlines]
    assert narrow[:2] == ["Attributed, 1 text", "Attributed, 4 texts"]
    assert max(map(len, narrow)) <= 19
    grid = scores.score_grid(report, [scores.Column(NAME, 0)], ALL)
    assert grid.at["always", f"{NAME}@0"].startswith("1.0000 [")


def test_a_measure_of_another_scale_is_not_expected(added):
    made = simulate(SimulationConfig(task="nli", items=60, annotators=3, style=1.5, seed=5))
    names = [name for name, _ in expected_measures(made.dataset, CONFIG)]
    assert NAME in names and "LeWiDi error rate" in names
    assert not {"label error", "Wasserstein distance", "Manhattan distance to the crowd"} & set(
        names
    )


@pytest.mark.parametrize(
    ("about", "match"),
    [
        ({"name": "kappa"}, "cannot be added"),
        ({"family": "charm"}, "cannot be added"),
        ({"better": "louder"}, "cannot be added"),
        ({"family": "style"}, "asks for 'target_labels'"),
    ],
)
def test_what_cannot_be_computed_is_refused_at_once(about, match):
    about = {"name": "new", "family": "labels", "better": HIGHER, "meaning": "New.", **about}
    before = dict(MEASURES)
    with pytest.raises(ValueError, match=match):

        @measure(**about)
        def computed(stream, target_labels):
            return None

    assert before == MEASURES


def test_every_family_that_is_scored_has_measures_and_a_title():
    assert all(measures_of(name) for name in FAMILIES)
    assert SCORED == (
        "labels",
        "soft",
        "explanations",
        "consistency",
        "style",
        "attribution",
        "diversity",
    )
    assert [family.name for family in families_by_interest()][:3] == [
        "attribution",
        "likelihood",
        "judge",
    ]
    titles = [family.title for family in FAMILIES.values()]
    assert len(set(titles)) == len(titles)


def test_a_variant_is_found_and_named():
    found = find_measure(VIEW.name)
    assert (found.variant, found.name) == ("words, mask_input", VIEW.name)
    assert found.header(4) == "Attributed to target, 4 texts"
    assert find_measure("judge (some model (v2))").header(1) == "LLM judge some model (v2), 1 text"
    for name in ("attribution", "attribution ()", "attribution (words", "kappa (words)"):
        with pytest.raises(ConfigError, match="no measure"):
            find_measure(name)
