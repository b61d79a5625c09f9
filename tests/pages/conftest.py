"""A workspace per test, and a dataset that is measured once."""

from __future__ import annotations

import time

import pytest
from helpers.pages import ROOT, TINY, make

from capo_core.dashboard.stability import jobs
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.runs import submit
from capo_core.runs.request import RunRequest
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, make_folder


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(ROOT)
    return Workspace(tmp_path)


@pytest.fixture
def begun(monkeypatch) -> list:
    """Computations that pages ask for, noted instead of begun."""
    asked = []

    def begin(workspace, entry, config):
        asked.append((entry.name, config))
        settings = jobs.settings(entry, config)
        job = submit.begun_at(workspace, "stability", settings)
        make_folder(job.folder)
        RunRequest("stability", settings, queued=time.time()).write(job.folder)
        job.write(Status(queued=time.time()))
        return job

    monkeypatch.setattr(jobs, "begin", begin)
    return asked


@pytest.fixture
def add(workspace):
    return lambda dataset: Catalog(workspace).add(dataset)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """A dataset with its report and evidence, computed once."""
    from capo_core.stability.report import compute_report

    dataset = make("measured")
    return dataset, *compute_report(dataset, TINY, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def with_report(workspace, add, measured) -> Dataset:
    from capo_core.stability import store

    dataset, report, evidence = measured
    add(dataset)
    store.save(report, evidence, workspace)
    return dataset
