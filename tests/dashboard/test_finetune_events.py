"""What a page reads of a run's events, and the curves it draws of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from helpers.run_folders import a_training, put_run, write_events

from capo_core.dashboard.finetune import charts
from capo_core.runs import events as runs_events
from capo_core.workspace import Workspace


@pytest.fixture
def events(tmp_path):
    run = put_run(Workspace(tmp_path), "r")
    # A resumed run says once more what it trains on.
    again = {"event": "note", "note": "training items", "count": 12}
    write_events(run, *a_training(), {"event": "resumed", "step": 3}, again)
    return runs_events.read_events(run.files.events_path)


def test_events_are_sorted_by_what_they_are(events):
    assert list(events.steps["step"]) == [1, 2, 3, 4, 5, 6]
    assert list(events.validations["step"]) == [0, 3, 6]
    assert list(events.probes["target_share"]) == [0.3, 0.6]
    assert [each["step"] for each in events.samples] == [3, 6]
    assert events.engine["asked"] == "tree" and events.notes == ("training items: 12",)
    assert (events.checkpoints, events.resumed, events.unread) == ((3, 6), (3,), 0)


def test_before_anything_has_changed_no_pair_is_ranked(events):
    # All pairs are tied at the start: 0 % would read as "all wrong".
    assert np.isnan(events.validations["reward_accuracy"].iloc[0])
    assert events.validations["reward_accuracy"].iloc[1] == pytest.approx(0.5 + 3 / 25)


def test_no_file_is_no_event(tmp_path):
    assert runs_events.read_events(tmp_path / "none").steps.empty


@pytest.mark.parametrize(
    "line",
    ["not JSON", "[1]", '{"step": 1}', '{"event": 3}', "\x00", '{"event": "step", "step": 1'],
)
def test_a_damaged_line_is_counted_and_left_out(tmp_path, line):
    path = tmp_path / "events.jsonl"
    good = json.dumps({"event": "step", "step": 1, "loss": 0.5})
    path.write_text(f"{line}\n{good}\n", encoding="utf-8")
    found = runs_events.read_events(path)
    assert found.unread == 1 and list(found.steps["loss"]) == [0.5]


def test_a_line_that_is_being_written_is_waited_for(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "step", "step": 1, "loss": 0.5}\n{"event": "st')
    found = runs_events.read_events(path)
    assert len(found.steps) == 1 and found.unread == 0


@pytest.mark.parametrize("value", ["many", None, [1], {"a": 1}, float("nan")])
def test_what_is_no_number_is_a_gap(tmp_path, value):
    path = tmp_path / "events.jsonl"
    lines = [{"event": "step", "step": 1, "loss": value}, {"event": "step", "step": 2, "loss": 0.5}]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    steps = runs_events.read_events(path).steps
    assert np.isnan(steps["loss"].iloc[0]) and steps["loss"].iloc[1] == 0.5


def test_a_text_with_odd_line_breaks_is_one_sample(tmp_path):
    run = put_run(Workspace(tmp_path), "r")
    text = "one\u2028two\x0bthree\nfour"
    write_events(run, {"event": "sample", "step": 1, "text": text})
    (sample,) = runs_events.read_events(run.files.events_path).samples
    assert sample["text"] == text


def test_thinned_rows_are_means_at_the_last_step_of_each_neighbourhood():
    rows = pd.DataFrame({"step": range(1, 1001), "loss": np.arange(1000.0)})
    thin = runs_events.thinned(rows, most=400)
    # 1000 rows in at most 400: groups of 3; the first holds 0, 1, 2 and ends at step 3.
    assert len(thin) == 334 and list(thin["step"].iloc[:2]) == [3, 6]
    assert list(thin["loss"].iloc[:2]) == [1.0, 4.0]
    assert runs_events.thinned(rows.head(400), most=400) is not rows
    assert len(runs_events.thinned(rows.head(400), most=400)) == 400


def named(figure) -> dict:
    return {trace.name: trace for trace in figure.data}


def test_a_curve_shows_training_validation_what_is_kept_and_where_it_went_on(events):
    figure = charts.curve(events, "loss")
    traces = named(figure)
    assert list(traces["training"].y) == list(events.steps["loss"])
    assert list(traces["validation"].x) == [0, 3, 6]
    # Filled is the validation whose adapter is kept: the last best one.
    assert traces["validation"].marker.symbol == ("circle-open", "circle-open", "circle")
    assert list(traces["saved"].x) == [3, 6]
    assert [shape.x0 for shape in figure.layout.shapes] == [3]


def test_the_change_shows_own_answers_and_the_others(events):
    traces = named(charts.curve(events, "change"))
    assert list(traces["the annotator's responses"].y) == list(events.steps["chosen_change"])
    assert list(traces["other annotators' responses"].y) == list(events.steps["rejected_change"])


def test_a_probe_has_its_interval_and_chance(events):
    figure = charts.probe(events.probes)
    (trace,) = figure.data
    assert list(trace.y) == [0.3, 0.6]
    assert list(trace.error_y.arrayminus) == pytest.approx([0.15, 0.3])
    assert list(trace.error_y.array) == pytest.approx([0.6, 0.3])
    assert figure.layout.shapes[0].y0 == 0.25


def test_runs_lie_over_each_other_each_with_a_line_of_its_own(events):
    runs = {f"{n}. run": events for n in range(10)}
    figure = charts.overlay(runs, "loss", validation=True)
    assert [trace.name for trace in figure.data] == list(runs)
    looks = {(trace.line.color, trace.line.dash) for trace in figure.data}
    assert len(looks) == 10
    assert charts.available_overlays([events, runs_events.RunEvents()])[:2] == ["loss", "margin"]
    assert charts.available_overlays([runs_events.RunEvents()]) == []


def test_probes_that_are_all_alike_are_one_sentence():
    """Finding 32: "100 % of 12 texts" as a flat line, the biggest chart of the page."""
    from capo_core.dashboard.finetune.run import probe_title

    flat = pd.DataFrame({"step": [0, 20, 51], "target_share": [1.0, 1.0, 1.0], "n": [12, 12, 12]})
    assert probe_title(flat, "A") == (
        "Attributed to A: 12/12 probe texts at each of 3 probes, so this probe does not tell the "
        "steps apart"
    )
    rising = flat.assign(target_share=[0.5, 0.75, 1.0])
    assert probe_title(rising, "A") == "Attributed to A at step 51: 12/12 probe texts"
    assert probe_title(flat.iloc[:1], "A") == "Attributed to A at step 0: 12/12 probe texts"


@pytest.mark.parametrize(
    ("ends", "points", "said"),
    [
        (["0.00", "0.00"], 1, "0.00"),
        (["0.00", "0.00"], 4, "0.00, first and last,"),
        (["1.34", "0.97"], 4, "1.34 to 0.97"),
    ],
)
def test_one_point_is_no_way_from_here_to_there(ends, points, said):
    """Finding 32: "Margin: 0.00 to 0.00 in validation" with one point."""
    from capo_core.dashboard.finetune.run import _from_to

    assert _from_to(ends, points) == said


def test_a_probe_with_probabilities_tells_steps_apart_beside_peoples_texts():
    from capo_core.dashboard.finetune.run import probe_title

    probes = pd.DataFrame(
        {"step": [0, 20], "target_share": [1.0, 1.0], "n": [12, 12], "chance": [0.25, 0.25],
         "probability": [0.42, 0.61], "probability_low": [0.3, 0.5],
         "probability_high": [0.5, 0.7], "human": [0.55, 0.55], "others": [0.1, 0.1]}
    )  # fmt: skip
    title = probe_title(probes, "A").replace("\u00a0", " ")
    assert title == "Probability of A: 42 % to 61 % at step 20 (n = 12; A's own texts 55 %)"
    figure = charts.probe(probes)
    assert list(figure.data[0].y) == [0.42, 0.61]
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [0.1, 0.25, 0.55]
