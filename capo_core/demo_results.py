"""Results of the demo that ship with the project, and how they come into a workspace.

    python -m capo_core.demo_results [FOLDER]

makes them in a workspace of their own (FOLDER; by default a temporary one) and packs them into
`data/demo-results.zip`: the full stability report of demo-nli, the experiment of `demo --quick`
(all methods for one annotator, with the embedded base model), what the adapters of all annotators
say of authors and of other data (the results alone, without the adapters), and a frozen blind
study of the experiment's texts.

`install` unpacks them, once: what was installed before is not installed again, so that it can be
deleted. A workspace of an earlier version gets what has been added since. The study's judges are
simulated when it is installed, and marked as such.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from capo_core.errors import DataError, RunError
from capo_core.json_text import json_text
from capo_core.shipped import FOLDER
from capo_core.workspace import Workspace, make_folder, read_object, write_json

FILE = FOLDER / "demo-results.zip"
MARKER = "demo-results.json"  # in the workspace: the groups that were installed
REPORT, AUTHORS, TRANSFER = "report", "authors", "transfer"
EXPERIMENT, STUDY = "experiment", "study"
# Group → its folders and files of the workspace, each of which comes as a whole, in this order: an
# experiment after its runs, so that nobody sees one that lacks runs. What a later version adds is a
# group of its own: the marker of an earlier workspace does not name it.
GROUPS = {
    REPORT: (r"reports/[^/]+/[^/.]+(?=/)",),
    AUTHORS: (r"reports/[^/]+/authors-[^/]+\.json",),
    TRANSFER: (r"distributions/transfer/[^/]+/[^/]+\.json",),
    EXPERIMENT: (r"runs/[^/]+", r"experiments/[^/]+"),
    STUDY: (r"studies/[^/]+",),
}
TITLES = {
    REPORT: "stability report",
    AUTHORS: "likeliest author",
    TRANSFER: "imitated crowd",
    EXPERIMENT: "experiment",
    STUDY: "study of simulated judges",
}
STUDY_NAME = "demo-simulated-judges"
TARGET = "A"
OTHER, OTHER_ITEMS = "other-nli", 60  # other items, on which the imitated annotators are a team
# What is assumed of the simulated judges, and of the sources that they judge: see the audit log.
JUDGES = {"attentiveness": 0.85, "skill": 0.75, "doubt": 0.05, "seed": 7}
LIKENESS = {"human": 1.0, "capo": 0.8, "sft": 0.6, "other_human": 0.0}
STRENGTH = {"human": 0.8, "capo": 0.5, "sft": 0.2, "other_human": 0.0}
# Of a run's folder, what is for the process that worked in it.
_NOT_SHIPPED = ("lock", "stop", "checkpoint")
# File → what it says of the machine on which it was made, and what stands there instead. The base
# model of an adapter is found by its run's config.json.
_OF_THE_MACHINE = {
    "status.json": {"pid": 0, "birth": "", "host": ""},
    "adapter_config.json": {"base_model_name_or_path": "embedded"},
}
_LONG_AGO = (2026, 1, 1, 0, 0, 0)  # of every file in the archive, so that it can be made again


def install(workspace: Workspace, file: Path = FILE) -> tuple[str, ...]:
    """Put report, experiment and other results of the demo into the workspace; return the new ones.

    What is there, or was installed before, stays as it is. The study follows by `install_study`,
    which needs more time.

    Raises:
        DataError: the file is damaged, or the workspace cannot be written.
    """
    return _install(workspace, (REPORT, AUTHORS, TRANSFER, EXPERIMENT), file)


def install_study(workspace: Workspace, file: Path = FILE) -> tuple[str, ...]:
    """Put the demo's blind study into workspace and database, answered by simulated judges.

    Raises:
        CapoError: as `install`; the database cannot be used.
    """
    new = _install(workspace, (STUDY,), file)
    if new:
        from capo_core.study.owner.simulated_session import hold
        from capo_core.study.simulated_judges import SimulatedJudgesConfig, SourceEffects
        from capo_core.study.store import open_store

        engine = open_store(workspace)
        effects = SourceEffects(STRENGTH, LIKENESS)
        hold(workspace, engine, STUDY_NAME, SimulatedJudgesConfig(**JUDGES), effects)
        engine.dispose()
    return new


def _install(workspace: Workspace, groups: tuple[str, ...], file: Path) -> tuple[str, ...]:
    marker = workspace.root / MARKER
    if not file.is_file() or set(groups) <= set(_installed(marker)):
        return ()
    with workspace.lock("demo-results"):
        before = _installed(marker)
        new = [group for group in groups if group not in before]
        try:
            with zipfile.ZipFile(file) as archive:
                done = [group for group in new if _unpack(archive, group, workspace)]
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(
                f"the results of the demo cannot be put into the workspace ({error})",
                where=str(file),
                todo="see that the folder can be written and the disk is not full, or install the "
                "project again",
            ) from error
        write_json(marker, {"installed": [*before, *new]})
    return tuple(done)


def titles(groups: Iterable[str]) -> str:
    """Return groups in words: "stability report, experiment"."""
    return ", ".join(TITLES[group] for group in groups)


def _installed(marker: Path) -> list[str]:
    return list((read_object(marker) or {}).get("installed", []))


def _unpack(archive: zipfile.ZipFile, group: str, workspace: Workspace) -> bool:
    """Unpack a group; False where one of its folders or files is there already."""
    places: dict[str, int] = {}  # what comes as a whole → its number in the order
    names = []
    for name in archive.namelist():
        for number, pattern in enumerate(GROUPS[group]):
            if found := re.match(pattern, name):
                places[found[0]] = number
                names.append(name)
    if not names or any((workspace.root / place).exists() for place in places):
        return False
    make_folder(workspace.root)
    temporary = Path(tempfile.mkdtemp(prefix=".demo-", dir=workspace.root))
    try:
        for name in names:
            archive.extract(name, temporary)
            mode = archive.getinfo(name).external_attr >> 16
            (temporary / name).chmod(mode or 0o644)
        for place in sorted(places, key=lambda each: (places[each], each)):
            if (temporary / place).is_file():  # beside results of the user's own, it is the older
                os.utime(temporary / place, (0, 0))
            make_folder((workspace.root / place).parent)
            (temporary / place).replace(workspace.root / place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def make(workspace: Workspace, file: Path = FILE) -> None:
    """Compute what ships, as far as it is not in the workspace yet, and pack it into `file`.

    Raises:
        CapoError: a computation failed.
    """
    workspace.become_default()
    _make_report(workspace)
    experiment, runs = _make_experiment(workspace)
    _make_team(workspace)
    _make_study(workspace, runs)
    pack(
        workspace, experiment.experiment_id, [member.run_id for member in experiment.members], file
    )


def _demo(workspace: Workspace) -> Any:
    from capo_core.data.catalog import Catalog
    from capo_core.runs.experiments.config import DEMO_DATASET

    return Catalog(workspace).load(DEMO_DATASET)


def _make_report(workspace: Workspace) -> None:
    from capo_core.stability import store
    from capo_core.stability.config import StabilityConfig
    from capo_core.stability.report import compute_report

    dataset, config = _demo(workspace), StabilityConfig()
    if store.load(dataset.fingerprint, config, workspace) is None:
        store.save(*compute_report(dataset, config, cache=workspace.cache), workspace)


def _make_experiment(workspace: Workspace) -> tuple[Any, dict[str, str]]:
    """Return the finished experiment, and method → its run of answers."""
    from capo_core.runs import queue
    from capo_core.runs.experiments import store
    from capo_core.runs.experiments.config import demo_config

    experiment = store.start(workspace, demo_config(_demo(workspace).annotators, quick=True))
    while (now := store.progress_of(experiment)).state == "running":
        queue.advance(workspace)
        time.sleep(2)
    if now.state != "succeeded":
        raise RunError(f"the experiment is incomplete: {now.message}")
    return experiment, {
        member.method: member.run_id for member in experiment.members if member.kind == "generate"
    }


def _make_team(workspace: Workspace) -> None:
    """Train an adapter for each annotator whom the experiment does not imitate; have all of them
    tell authors, and judge other items (simulated as well) as a team."""
    from capo_core.data.catalog import Catalog
    from capo_core.distributions import transfer_store
    from capo_core.evaluation.authors import store as authors
    from capo_core.run_folder import list_runs

    demo = _demo(workspace)
    if authors.load(workspace, demo) and transfer_store.saved(workspace, demo.fingerprint):
        return
    for annotator in demo.annotators:
        if annotator != TARGET:
            _command(workspace, "train", "sft", "--dataset", demo.name, "--annotator", annotator,
                     "--base", "embedded", "--epochs", 3, "--max-tokens", 512,
                     "--sample-every", 0)  # fmt: skip
    newest = {
        run.config["target"]: run.path.name
        for run in list_runs(workspace)
        if run.path.name.startswith("demo_nli-sft")
    }
    team = [newest[annotator] for annotator in demo.annotators]
    _command(workspace, "authors", demo.name, "--run", *team)
    if OTHER not in {entry.name for entry in Catalog(workspace).entries()}:
        _command(workspace, "data", "simulate", "--name", OTHER, "--items", OTHER_ITEMS, "--seed",
                 7, "--crowd", 50)  # fmt: skip
    _command(workspace, "distributions", "transfer", "--adapter", *team, "--dataset", OTHER,
             "--home-items", OTHER_ITEMS, "--label-prior", "none")  # fmt: skip


def _command(workspace: Workspace, *words: object) -> None:
    """Run a command of the product in a process of its own.

    Raises:
        RunError: it failed.
    """
    command = [sys.executable, "-m", "capo_core", *map(str, words)]
    done = subprocess.run(
        command, env={**os.environ, "CAPO_WORKSPACE": str(workspace.root)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RunError(f"{' '.join(command[1:])} failed: {done.stdout}{done.stderr}")


def study_config(runs: dict[str, str]) -> Any:
    """Return the design of the demo's study.

    Args:
        runs: method → the run of its answers.
    """
    from capo_core.runs.experiments.config import DEMO_DATASET
    from capo_core.study.config import StudyConfig
    from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, OTHER_HUMAN

    return StudyConfig(
        STUDY_NAME,
        DEMO_DATASET,
        kinds=(ATTRIBUTION, COMPARISON),
        sources={HUMAN: HUMAN, OTHER_HUMAN: OTHER_HUMAN, "sft": runs["sft"], "capo": runs["capo"]},
        targets=(TARGET,),
        judges=6,
        trials_per_judge=12,
        judgments_per_trial=3,
        seed=0,
    )


def _make_study(workspace: Workspace, runs: dict[str, str]) -> None:
    from capo_core.study.design import draft, freeze

    if STUDY_NAME not in draft.names(workspace):
        draft.create(workspace, draft.draw_from(workspace, _demo(workspace), study_config(runs)))
    freeze.freeze(workspace, STUDY_NAME, accept_leaks=True)


def pack(workspace: Workspace, experiment: str, runs: list[str], file: Path) -> None:
    """Pack what ships of a workspace; the same files give the same archive.

    Raises:
        DataError: a file names the folder in which it was made.
    """
    from capo_core.distributions import transfer_store

    folders = [workspace.reports, workspace.root / "distributions" / transfer_store.FOLDER]
    folders += [workspace.experiments / experiment]
    folders += [workspace.runs / run for run in runs]
    folders += [workspace.studies / STUDY_NAME]
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in paths:
            name = path.relative_to(workspace.root).as_posix()
            if set(name.split("/")) & set(_NOT_SHIPPED):
                continue
            content = _neutral(path)
            if any(str(place).encode() in content for place in (workspace.root, FOLDER)):
                raise DataError("the file names a folder of this machine", where=name)
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.external_attr = (path.stat().st_mode & 0o777) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=9)


def _neutral(path: Path) -> bytes:
    """Return a file's content, without process, machine and folders."""
    change = _OF_THE_MACHINE.get(path.name)
    if change is None:
        return path.read_bytes()
    return (json_text({**(read_object(path) or {}), **change}) + "\n").encode()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Workspace(Path(sys.argv[1]).resolve()))
    else:
        with tempfile.TemporaryDirectory() as folder:
            make(Workspace(Path(folder).resolve()))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
