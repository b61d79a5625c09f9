"""The catalog: whole or not at all, also with several processes at once."""

import json
import multiprocessing
from dataclasses import replace

import pandas as pd
import pytest
from helpers.data_files import ROWS, csv_of, row

from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.workspace import Workspace


@pytest.fixture
def catalog(tmp_path):
    return Catalog(Workspace(tmp_path / "ws"), shipped=tmp_path / "no-demos")


def imported(folder, name="votes", rows=ROWS):
    path = folder / "votes.csv"
    path.write_text(csv_of(rows), encoding="utf-8")
    return read_dataset(path, name=name)


def variant(dataset, number):
    """The same dataset with `number` in every explanation: another fingerprint for each."""
    annotations = dataset.annotations.assign(explanation=f"version {number}")
    return replace(dataset, annotations=annotations)


def test_what_is_added_comes_back_with_its_report(catalog, tmp_path):
    read = imported(tmp_path, rows=[*ROWS, row("i3", label="")])
    entry = catalog.add(read.dataset, read.report)
    loaded = catalog.load("votes")
    assert loaded.fingerprint == read.dataset.fingerprint == entry.fingerprint
    assert loaded.items["split"].tolist() == read.dataset.items["split"].tolist()
    assert loaded.origin == read.dataset.origin
    report = catalog.report("votes")
    assert report.to_dict() == read.report.to_dict()
    assert catalog.entries() == [entry]
    assert (entry.items, entry.annotators, entry.annotations) == (2, 2, 4)


def test_no_report_is_none(catalog, tmp_path):
    catalog.add(imported(tmp_path).dataset)
    assert catalog.report("votes") is None


def test_a_name_is_taken_once_unless_replaced(catalog, tmp_path):
    dataset = imported(tmp_path).dataset
    catalog.add(dataset)
    with pytest.raises(ConfigError, match="exists already") as caught:
        catalog.add(variant(dataset, 1))
    assert caught.value.option == "--replace"
    assert catalog.load("votes").fingerprint == dataset.fingerprint
    catalog.add(variant(dataset, 1), replace=True)
    assert set(catalog.load("votes").annotations["explanation"]) == {"version 1"}
    folders = [path for path in (catalog.workspace.datasets / "votes").iterdir() if path.is_dir()]
    assert len(folders) == 1  # the old version is gone


def test_a_removed_dataset_is_nowhere_in_the_catalog(catalog, tmp_path):
    catalog.add(imported(tmp_path).dataset)
    catalog.remove("votes")
    assert catalog.names() == []
    for action in (catalog.load, catalog.remove, catalog.entry, catalog.report):
        with pytest.raises(DataError, match="there is no dataset 'votes'"):
            action("votes")


def test_an_empty_workspace_is_an_empty_catalog(catalog):
    assert catalog.names() == [] and catalog.entries() == []


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "x" * 81])
def test_names_that_could_leave_the_workspace_are_refused(catalog, name):
    for action in (catalog.load, catalog.remove):
        with pytest.raises(ConfigError, match="cannot be used"):
            action(name)


def edit(path, change):
    frame = pd.read_parquet(path)
    change(frame)
    frame.to_parquet(path)


def swap_label(frame):
    frame.loc[0, "label"] = "neutral" if frame.loc[0, "label"] != "neutral" else "entailment"


def test_edited_files_are_noticed(catalog, tmp_path):
    dataset = imported(tmp_path).dataset
    for what, damage in {
        "label": lambda home: edit(home / "annotations.parquet", swap_label),
        "scale": lambda home: edit(
            home / "annotations.parquet", lambda frame: frame.__setitem__("label", "odd")
        ),
        "bytes": lambda home: (home / "items.parquet").write_bytes(b"PAR1 no"),
        "missing": lambda home: (home / "items.parquet").unlink(),
        "meta": lambda home: (home / "meta.json").write_text("{}"),
        "unreadable": lambda home: ((home / "meta.json").unlink(), (home / "meta.json").mkdir()),
        "task": lambda home: (home / "meta.json").write_text(
            (home / "meta.json").read_text().replace('"premise"', '"text"')
        ),
    }.items():
        catalog.add(replace(dataset, name=what))
        (home,) = (p for p in (catalog.workspace.datasets / what).iterdir() if p.is_dir())
        damage(home)
        with pytest.raises(DataError, match=r"changed since it was added|is missing") as caught:
            catalog.load(what)
        assert caught.value.option == "--replace"
    # The list still works, and says of what it cannot read why.
    problems = {entry.name: entry.problem for entry in catalog.entries()}
    assert "changed" in problems["meta"] and "directory" in problems["unreadable"]
    assert problems["label"] == ""


def test_a_broken_pointer_is_named(catalog, tmp_path):
    catalog.add(imported(tmp_path).dataset)
    (catalog.workspace.datasets / "votes" / "current.json").write_text('{"version": "../../etc"}')
    with pytest.raises(DataError, match="damaged or were changed"):
        catalog.load("votes")


def test_what_a_killed_writer_left_is_not_seen_and_is_cleared_away(catalog, tmp_path):
    home = catalog.workspace.datasets / "votes"
    (home / ".writing-abc").mkdir(parents=True)
    (home / ".writing-abc" / "items.parquet").write_bytes(b"half")
    assert catalog.names() == []
    catalog.add(imported(tmp_path).dataset)
    assert not (home / ".writing-abc").exists()
    assert catalog.names() == ["votes"]


def test_a_workspace_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "ws").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="CAPO_WORKSPACE"):
        Catalog(Workspace(tmp_path / "ws")).add(imported(tmp_path).dataset)


def test_demos_are_listed_and_cannot_be_touched(tmp_path):
    shipped = tmp_path / "data"
    shipped.mkdir()
    dataset = imported(tmp_path).dataset
    (shipped / "demo-nli.csv").write_text(csv_of(), encoding="utf-8")
    (shipped / "demo-nli.json").write_text(json.dumps({"task": dataset.task.to_dict()}))
    catalog = Catalog(Workspace(tmp_path / "ws"), shipped=shipped)
    assert catalog.names() == ["demo-nli"]
    (entry,) = catalog.entries()
    assert entry.shipped and entry.simulated
    assert len(catalog.load("demo-nli").annotations) == 4
    with pytest.raises(ConfigError, match="cannot be replaced"):
        catalog.add(replace(dataset, name="demo-nli"), replace=True)
    with pytest.raises(ConfigError, match="cannot be removed"):
        catalog.remove("demo-nli")


def _add_many(root, folder, name, start, barrier, count):
    """In a process of its own: replace one name and add others, over and over."""
    catalog = Catalog(Workspace(root), shipped=folder)
    base = imported(folder, name).dataset
    barrier.wait()
    for number in range(count):
        catalog.add(variant(base, f"{start}-{number}"), replace=True)
        catalog.add(replace(variant(base, number), name=f"own-{start}-{number}"))


def test_processes_adding_and_reading_at_once(tmp_path):
    """Three writers replace one dataset while this process reads it: it never sees a mixture."""
    context = multiprocessing.get_context("spawn")
    writers, count = 3, 6
    barrier = context.Barrier(writers + 1)
    root = tmp_path / "ws"
    folders = [tmp_path / f"w{n}" for n in range(writers)]
    catalog = Catalog(Workspace(root), shipped=tmp_path / "none")
    catalog.add(variant(imported(tmp_path, "shared").dataset, "first"))
    processes = []
    for n, folder in enumerate(folders):
        folder.mkdir()
        arguments = (root, folder, "shared", n, barrier, count)
        processes.append(context.Process(target=_add_many, args=arguments))
    for process in processes:
        process.start()
    barrier.wait()
    reads, at_work = 0, True
    while at_work:  # the last look comes after all have ended
        at_work = any(process.is_alive() for process in processes)
        said = catalog.load("shared").annotations["explanation"]
        assert said.nunique() == 1  # all rows of one version
        assert all(not entry.problem for entry in catalog.entries())
        reads += 1
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert reads > 0
    own = {f"own-{n}-{number}" for n in range(writers) for number in range(count)}
    assert set(catalog.names()) == own | {"shared"}
    assert catalog.load("own-2-5").annotations["explanation"].unique().tolist() == ["version 5"]


def _hold(root, ready, done):
    with Workspace(root).lock("catalog"):
        ready.set()
        done.wait(600)


def test_a_writer_that_never_ends_is_named(tmp_path, monkeypatch):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "ws", ready, done))
    process.start()
    assert ready.wait(240)
    lock = Workspace.lock
    monkeypatch.setattr(Workspace, "lock", lambda self, name: lock(self, name, timeout_s=0.2))
    try:
        with pytest.raises(CapoError, match="another process"):
            Catalog(Workspace(tmp_path / "ws")).add(imported(tmp_path).dataset)
    finally:
        done.set()
        process.join()
