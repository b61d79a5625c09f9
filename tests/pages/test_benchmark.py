"""Distributions, views Benchmark and Imitated crowd: what is saved, or how to get it."""

import json
import os
from dataclasses import replace
from html import unescape

import pandas as pd
from helpers.pages import make, open_page, shown

from capo_core.data.formats.registry import download_sources
from capo_core.leaderboards import store
from capo_core.leaderboards.board import compute_board
from capo_core.leaderboards.boards import BOARDS, EXPLANATION, PERSPECTIVE
from capo_core.leaderboards.cells import board_task
from capo_core.leaderboards.systems import Resources
from capo_core.text.embeddings import Embedder


def opened(name, track):
    app = open_page("distributions", dataset=name, part="benchmark", track=track)
    assert not app.exception and not app.error
    return app, unescape(shown(app)).replace("\u00a0", " ")


def test_a_board_is_shown_on_its_track_alone_with_a_way_to_compute_it(workspace, add):
    dataset = replace(make("lewidi-made", items=40), origin="LeWiDi, made for a test")
    add(dataset)
    task = board_task(dataset, BOARDS["varierr"])
    names = ("nothing", "frequent")
    result = compute_board(task, EXPLANATION, Resources(Embedder(None)), names=names)
    store.save(result, workspace)
    app, text = opened("lewidi-made", EXPLANATION)
    assert result.headline() in text and "not comparable" in text
    assert "interval" not in result.headline()
    assert len(app.get("plotly_chart")) >= 2
    assert "Compute again" in [button.label for button in app.button]
    ours = next(row for row in result.ours if row.name == "nothing")
    tables = [frame.value for frame in app.dataframe]
    assert any(
        ours.shown(PERSPECTIVE) in str(cell)
        for frame in tables
        for cell in frame.to_numpy().ravel()
    )
    assert "their rows stand on the track “content”" in text
    app, text = opened("lewidi-made", "content")
    assert any(code.value.endswith("--data lewidi-made --track content") for code in app.code)
    assert any(
        "--data lewidi-made --method zero_shot icl profile sft capo --base smollm2" in code.value
        for code in app.code
    )
    assert result.headline() not in text
    assert "Compute our rows" in [button.label for button in app.button]


def test_a_board_of_another_split_is_not_shown(workspace, add):
    dataset = replace(make("lewidi-made", items=40), origin="LeWiDi, made for a test")
    other = replace(
        dataset, items=dataset.items.assign(split=dataset.items["split"].to_numpy()[::-1])
    )
    assert other.fingerprint == dataset.fingerprint
    add(dataset)
    task = board_task(other, BOARDS["varierr"])
    result = compute_board(task, EXPLANATION, Resources(Embedder(None)), names=("nothing",))
    store.save(result, workspace)
    app, text = opened("lewidi-made", EXPLANATION)
    assert "The saved board is of another split of these items" in text
    assert result.headline() not in text
    assert "Compute our rows" in [button.label for button in app.button]


def test_another_dataset_has_no_board(add):
    add(make("mine"))
    app, text = opened("mine", "content")
    assert "mine is none of the datasets of the shared task LeWiDi-2025" in text
    (commands,) = [code.value for code in app.code if "data fetch" in code.value]
    fetched = {line.rpartition(" ")[2] for line in commands.splitlines()}
    assert fetched and fetched <= set(download_sources())


def finished_training(workspace, dataset, name, target, base, ended, **settings):
    """A run folder of a finished SFT, as far as the page reads it."""
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    about = {"fingerprint": dataset.fingerprint, "split": dataset.split_fingerprint}
    config = {"stage": "sft", "target": target, "dataset": about, "settings": settings,
              "base": {"name": base, "fingerprint": base}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "result.json").write_text("{}")
    os.utime(folder / "result.json", (ended, ended))


def test_the_command_names_a_team_that_can_be_measured(workspace, add):
    dataset = make("mine")
    counts = [(item, label, 5) for item in dataset.items["item_id"]
              for label in dataset.task.scale.labels]  # fmt: skip
    dataset = replace(dataset, crowd=pd.DataFrame(counts, columns=["item_id", "label", "count"]))
    add(dataset)
    first, second = dataset.annotators[:2]
    for name, target, base, ended, settings in (
        ("a1", first, "small", 2000, {}), ("a2", first, "small", 1000, {}),  # a1 is the newer one
        ("b1", second, "small", 1000, {}), ("c1", first, "large", 3000, {}),
        ("d1", "all", "small", 4000, {"shared": True}),
        ("e1", second, "small", 4000, {"shuffled": True}),
    ):  # fmt: skip
        finished_training(workspace, dataset, name, target, base, ended, **settings)
    other = replace(
        dataset, items=dataset.items.assign(split=dataset.items["split"].to_numpy()[::-1])
    )
    finished_training(workspace, other, "f1", second, "small", 5000)
    app = open_page("distributions", dataset="mine", part="transfer")
    (command,) = [code.value for code in app.code if "transfer" in code.value]
    assert "--adapter a1 b1 --file" in command


def test_a_dataset_without_a_crowd_is_told_that_it_is_no_home(workspace, add):
    add(replace(make("bare"), crowd=None))
    app = open_page("distributions", dataset="bare", part="transfer")
    assert not app.exception and "bare has no crowd" in shown(app)
    assert not [code.value for code in app.code if "transfer" in code.value]


def test_what_a_team_says_without_a_check_is_shown_and_downloaded(workspace, add):
    from helpers.transfers import made_transfer

    from capo_core.distributions import transfer_store

    dataset = make("mine")
    add(dataset)
    asked = {"label_prior": "none", "home_items": 60, "items": 0}
    transfer_store.save(made_transfer(dataset), workspace)
    transfer_store.save(made_transfer(dataset, crowd=False, settings=asked), workspace)
    app = open_page("distributions", dataset="mine", part="transfer")
    assert not app.exception and not app.error
    text = unescape(shown(app))
    assert "not checked here" in text and "ransfers" not in text.replace("transfers to", "")
    assert "without a label prior" in text
    (choice,) = [box for box in app.selectbox if box.label == "Other data"]
    assert "away (3 annotators, planted, label prior none, home: the first 60)" in choice.options
    labels = [one.proto.label for one in app.get("download_button")]
    assert "What the team says of each item (CSV)" in labels


def test_a_saved_transfer_is_shown_or_the_command_for_one(workspace, add):
    from helpers.transfers import made_transfer

    from capo_core.distributions import transfer_store

    dataset = make("mine")
    add(dataset)
    app = open_page("distributions", dataset="mine", part="transfer")
    assert not app.exception and "Not computed for this dataset yet" in shown(app)
    result = made_transfer(dataset)
    transfer_store.save(result, workspace)
    app = open_page("distributions", dataset="mine", part="transfer")
    assert not app.exception and not app.error
    assert all(text in unescape(shown(app)) for text in result.statements())
