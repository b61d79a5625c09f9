"""Outputs of runs and tables: named, checked, brought onto the same items; the command."""

import json

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from capo_core.cli import evaluate
from capo_core.data.catalog import Catalog
from capo_core.data.splits import assign_splits
from capo_core.errors import DataError
from capo_core.evaluation import streams as evaluation_streams
from capo_core.evaluation.streams import held_out_items
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.workspace import Workspace, write_json


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=90, annotators=3, style=1.0, seed=5))
    return assign_splits(made.dataset, seed=1)


@pytest.fixture(scope="module")
def workspace(world, tmp_path_factory):
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    Catalog(made).add(world)
    return made


def generated(workspace, world, *, name="fake", targets=None, **settings):
    """A finished generation by the fake backend."""
    config = GenerateConfig(**{"method": "zero_shot", **settings})
    backend, targets = FakeBackend(name=name), targets or world.annotators
    folder = generation_folder(
        workspace, generation_run_config(world, targets, config, backend, {}, {})
    )
    generate(world, targets, config, backend, folder)
    return folder


def table_of(world, path, **changes):
    """Held-out answers of the people themselves, as a table of outputs."""
    rows = world.annotations[world.annotations["item_id"].isin(held_out_items(world))]
    rows = rows.drop_duplicates(["item_id", "annotator_id"])
    frame = rows[["annotator_id", "item_id", "label", "explanation"]]
    frame = frame.rename(columns={"annotator_id": "target_annotator_id"}).assign(**changes)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


def test_runs_that_differ_in_seeds_are_replicates_and_others_have_names(workspace, world):
    folders = [
        generated(workspace, world, seed=0),
        generated(workspace, world, seed=1, samples=1),
        generated(workspace, world, method="icl", examples=2),
        generated(workspace, world, method="icl", examples=4),
        generated(workspace, world, name="other/fake-2"),
    ]
    found, split = evaluation_streams.run_outputs(world, folders)
    assert split == "test"
    icl = [folder.run_id.rpartition("-")[2] for folder in folders[2:4]]
    assert [one.source for one in found] == [
        "zero_shot (fake)", "zero_shot (fake)", f"icl {icl[0]}", f"icl {icl[1]}",
        "zero_shot (fake-2)",
    ]  # fmt: skip
    assert [one.replicate for one in found] == ["seed 0", "seed 1", "seed 0", "seed 0", "seed 0"]
    items, streams = evaluation_streams.method_streams(world, found)
    assert items == held_out_items(world)
    assert {s.replicate for s in streams if s.source == "zero_shot (fake)"} == {
        "seed 0/0",
        "seed 1/0",
    }


def test_trainings_that_differ_in_more_than_the_seed_are_no_replicates(workspace, world, tmp_path):
    """Config files as trainings and generations write them; nothing is trained here."""
    first = generated(workspace, world, seed=0)

    def trained(name, **settings):
        asked = {"stage": "capo", "settings": {"seed": 0, "beta": 0.1, "pairs": {"seed": 0}}}
        asked["settings"].update(settings)
        write_json(workspace.runs / name / "config.json", asked)
        folder = type(first)(workspace.runs / f"gen-{name}")
        config = dict(first.config)
        config["settings"] = {**config["settings"], "method": "capo"}
        config["adapters"] = {who: {"run": name, "fingerprint": name} for who in world.annotators}
        write_json(folder.path / "config.json", config)
        (folder.path / "outputs.parquet").write_bytes((first.path / "outputs.parquet").read_bytes())
        return folder

    folders = [
        trained("one"),
        trained("two", seed=1, pairs={"seed": 5}),
        trained("three", beta=0.5),
    ]
    found, _ = evaluation_streams.run_outputs(world, folders)
    assert [one.source for one in found] == ["capo one", "capo one", "capo three"]
    assert found[0].replicate == "trained with seed 0, drawn with seed 0"
    assert found[1].replicate == "trained with seed 1, drawn with seed 0"


def test_only_items_that_all_answered_are_scored(workspace, world, tmp_path):
    few = generated(workspace, world, method="icl", items=5, examples=3)
    found, _ = evaluation_streams.run_outputs(world, [few])
    found += evaluation_streams.file_outputs(table_of(world, tmp_path / "people.csv"))
    items, streams = evaluation_streams.method_streams(world, found)
    assert len(items) == 5 and set(items) == set(found[0].frame["item_id"])
    assert max(len(stream) for stream in streams) <= 5


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_tables_of_three_kinds_say_the_same(world, tmp_path, kind):
    found = evaluation_streams.file_outputs(table_of(world, tmp_path / f"mine.{kind}"))
    assert [one.source for one in found] == ["mine"]
    items, streams = evaluation_streams.method_streams(world, found)
    assert {stream.target for stream in streams} == set(world.annotators)
    assert streams[0].replicate == "mine/0" and len(items) == len(held_out_items(world))
    two = table_of(world, tmp_path / f"two.{kind}", method="x", sample="1")
    assert [
        (o.source, o.frame["sample"].iloc[0]) for o in evaluation_streams.file_outputs(two)
    ] == [("x", "1")]


def test_bad_tables_are_told(world, tmp_path):
    for name, changes, match in (
        ("label.csv", {"label": "maybe"}, "maybe"),
        ("item.csv", {"item_id": "nowhere"}, "nowhere"),
        ("who.csv", {"target_annotator_id": "Z"}, "'Z'"),
    ):
        found = evaluation_streams.file_outputs(table_of(world, tmp_path / name, **changes))
        with pytest.raises(DataError, match=match):
            evaluation_streams.method_streams(world, found)
    (tmp_path / "broken.parquet").write_text("no table")
    (tmp_path / "bare.csv").write_text("a,b\n1,2\n")
    (tmp_path / "table.xls").write_text("")
    for name, match in (
        ("broken.parquet", "cannot be read"),
        ("bare.csv", "target_annotator_id"),
        ("table.xls", ".xls"),
        ("missing.csv", "cannot be read"),
    ):
        with pytest.raises(DataError, match=match):
            evaluation_streams.file_outputs(tmp_path / name)


def test_runs_of_other_data_are_refused(workspace, world, tmp_path):
    folder = generated(workspace, world, seed=0)
    other = assign_splits(world, seed=2)
    with pytest.raises(DataError, match="has changed since this run"):
        evaluation_streams.run_outputs(other, [folder])
    write_json(tmp_path / "sft" / "config.json", {"stage": "sft"})
    with pytest.raises(DataError, match="no responses"):
        evaluation_streams.run_outputs(world, [type(folder)(tmp_path / "sft")])
    validation = generated(workspace, world, split="validation")
    with pytest.raises(DataError, match="different splits"):
        evaluation_streams.run_outputs(world, [folder, validation])


@pytest.fixture
def command(workspace, world, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    app = typer.Typer()
    evaluate.mount(app)
    # Typer makes a lone command the app itself; a second one keeps its name.
    app.command("other")(lambda: None)
    return lambda *args: CliRunner().invoke(app, ["evaluate", *map(str, args)])


FEW = ("--measures", "labels", "soft", "style", "--pool", "1")


def test_the_command_prints_writes_and_agrees_with_itself(command, workspace, world, tmp_path):
    folder = generated(workspace, world, seed=0)
    people = table_of(world, tmp_path / "people.parquet")
    page, rows = tmp_path / "r.html", tmp_path / "r.csv"
    done = command(
        "--dataset", world.name, "--run", folder.run_id, "--outputs", people, *FEW,
        "--out", page, rows, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    accuracy = {
        row["source"]: row["value"]
        for row in report["scores"]
        if row["measure"] == "label accuracy" and row["target"] == "all"
    }
    assert accuracy["people"] == 1 and 0 < accuracy["zero_shot"] < 0.7
    assert page.read_text().startswith("<!doctype html>")
    assert len(pd.read_csv(rows)) == len(report["scores"])
    shown = command("--dataset", world.name, "--run", folder.run_id, *FEW)
    assert shown.exit_code == 0 and "Zero-shot" in shown.stdout
    assert f"{len(held_out_items(world))} test items" in shown.stdout


def test_the_command_says_what_is_wrong(command, world, tmp_path):
    for args, match in (
        ((), "nothing to evaluate"),
        (("--run", "nobody-knows"), "no run named"),
        (("--outputs", tmp_path / "x.csv", "--out", tmp_path / "r.pdf"), "r.pdf"),
        (("--outputs", tmp_path / "x.csv", "--measures", "charm"), "charm"),
    ):
        done = command("--dataset", world.name, *args)
        assert done.exit_code == 2 and match in done.stderr, done.output
