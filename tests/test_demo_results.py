"""The demo's shipped results: found by this build's keys, readable, whole, and installed once."""

import re
import shutil
import zipfile
from dataclasses import replace

import pytest

from capo_core import demo_results
from capo_core.cli import start
from capo_core.data.catalog import load_shipped
from capo_core.demo_results import FILE, STUDY_NAME, install, install_study, study_config
from capo_core.distributions import transfer_store
from capo_core.errors import DataError
from capo_core.evaluation import report as evaluation_report
from capo_core.evaluation.authors import store as authors
from capo_core.run_folder import list_runs
from capo_core.runs import comparisons
from capo_core.runs.experiments import store as experiments
from capo_core.runs.experiments.config import demo_config
from capo_core.runs.experiments.plan import plan_runs
from capo_core.stability import store as reports
from capo_core.stability.config import StabilityConfig
from capo_core.study.design.draft import load as load_draft
from capo_core.study.design.freeze import verify
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_store
from capo_core.workspace import Workspace, write_json

PLACES = re.compile(rb"(?<![\w.])/(?:home|root|work|tmp|Users|opt)/[\w./-]+")


@pytest.fixture(scope="module")
def demo():
    return load_shipped("demo-nli")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    assert install(workspace) == ("report", "authors", "transfer", "experiment")
    assert install_study(workspace) == ("study",)
    return workspace


def test_the_report_is_that_of_the_full_preset(installed, demo):
    report = reports.load(demo.fingerprint, StabilityConfig(), installed)
    assert report is not None and report.headline and report.simulated
    assert reports.load_evidence(demo.fingerprint, StabilityConfig(), installed) is not None


def test_authors_and_transfer_are_results_alone(installed, demo):
    """The adapters of those whom the experiment does not imitate do not ship."""
    result = authors.load(installed, demo)
    assert result is not None and result.annotators == demo.annotators
    (transfer,) = transfer_store.saved(installed, demo.fingerprint)
    assert len(transfer.members) == len(demo.annotators)
    runs = [run.path.name for run in list_runs(installed) if "-sft-" in run.path.name]
    assert len(runs) == 1


def test_the_experiment_is_that_of_the_quick_demo(installed, demo):
    config = demo_config(demo.annotators, quick=True).with_changes(fingerprint=demo.fingerprint)
    experiment = experiments.find_experiment(installed, config.experiment_id)
    assert [member.run_id for member in experiment.members] == [
        planned.run_id for planned in plan_runs(config)
    ]
    assert experiments.progress_of(experiment).state == "succeeded"
    from capo_core.dashboard.app import datasets

    entry = next(each for each in datasets.entries(installed) if each.name == demo.name)
    path = comparisons.newest_report(installed, entry)
    assert path is not None and evaluation_report.load(path).n_items


def test_the_study_is_frozen_and_answered_by_simulated_judges(installed):
    verify(installed, STUDY_NAME)
    draft = load_draft(installed, STUDY_NAME)
    runs = {name: draft.config.sources[name][0] for name in ("sft", "capo")}
    assert draft.config == study_config(runs)
    engine = open_store(installed)
    status = StudyService(engine).status(STUDY_NAME)
    engine.dispose()
    assert status.state == "unblinded" and status.filled == status.places
    assert all(judge.judge_id.startswith("simulated-") for judge in status.judges)


def test_what_was_installed_is_not_installed_again(installed, tmp_path):
    assert install(installed) == install_study(installed) == ()
    workspace = Workspace(tmp_path)
    install(workspace)
    shutil.rmtree(workspace.runs)
    assert install(workspace) == () and not workspace.runs.exists()


def test_what_is_there_stays(tmp_path, demo):
    workspace = Workspace(tmp_path)
    folder = reports.report_folder(demo.fingerprint, StabilityConfig(), workspace)
    folder.mkdir(parents=True)
    (folder / "report.json").write_text("mine")
    assert install(workspace) == ("authors", "transfer", "experiment")
    assert (folder / "report.json").read_text() == "mine"


def test_a_workspace_of_an_earlier_version_gets_what_is_new(tmp_path, demo, capsys):
    """Its marker names the groups of that time; of the transfers it has one of the user's own."""
    workspace = Workspace(tmp_path)
    install(workspace)
    (shipped,) = transfer_store.saved(workspace, demo.fingerprint)
    shutil.rmtree(workspace.root / "distributions")
    shutil.rmtree(workspace.runs)  # deleted by the user
    authors.path_of(workspace, demo.fingerprint, demo.split_fingerprint).unlink()
    write_json(workspace.root / demo_results.MARKER, {"installed": ["report", "experiment"]})
    mine = transfer_store.save(replace(shipped, away="mine"), workspace)
    before = mine.read_bytes()

    start._with_errors(install, workspace)

    said = capsys.readouterr().out
    assert said == "Results of the demo installed: likeliest author, imitated crowd.\n"
    assert authors.load(workspace, demo) is not None
    assert [each.away for each in transfer_store.saved(workspace, demo.fingerprint)] == [
        "mine",
        shipped.away,
    ]
    assert mine.read_bytes() == before and not workspace.runs.exists()
    start._with_errors(install, workspace)
    assert capsys.readouterr().out == ""


def test_a_damaged_archive_says_so_and_leaves_nothing(tmp_path):
    file = tmp_path / "results.zip"
    file.write_bytes(FILE.read_bytes()[:1000])
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(DataError, match="cannot be put into the workspace"):
        install(workspace, file)
    assert not workspace.reports.exists()
    assert install(workspace, tmp_path / "none.zip") == ()


def test_no_file_names_a_place_of_the_machine_it_was_made_on():
    with zipfile.ZipFile(FILE) as archive:
        for name in archive.namelist():
            if not name.endswith((".safetensors", ".npz", ".parquet")):
                assert not PLACES.findall(archive.read(name)), name
    assert FILE.stat().st_size < 4_000_000
    assert demo_results.STUDY_NAME.endswith("simulated-judges")
