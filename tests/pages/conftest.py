"""A workspace per test, and a dataset that is measured once."""

from __future__ import annotations

import time

import pytest
import streamlit as st
from helpers.pages import ROOT, TINY, make
from helpers.provenance import EPOCH, check_file

from capo_core.dashboard.stability import jobs
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.runs import submit
from capo_core.runs.request import RunRequest
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, make_folder

SEEN: set[str] = set()  # keys of the downloads that were checked, each once
SETTINGS = ("finetune.save", "studies.design.save")  # what a computation begins with
FIGURES = ("html", "pdf", "svg", "png")
MOST_FIGURES = 8  # of a kind: all are made by one function, and each takes 0.2 s


@pytest.fixture(autouse=True)
def checked_downloads(monkeypatch):
    """Make the file of each download that a page shows, and check its provenance."""
    wrong, real = [], st.download_button
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)

    def checked(label, data, file_name, *args, key, **more):
        kind = file_name.rpartition(".")[2]
        figures = sum(f".{kind}" in name for name in SEEN)
        if key not in SEEN and key not in SETTINGS:
            SEEN.add(key)
            if kind not in FIGURES or figures < MOST_FIGURES or "report" in file_name:
                try:
                    check_file(data(), file_name)
                except Exception as error:
                    wrong.append(f"{key}, {file_name}: {error!r}")
        return real(label, data, file_name, *args, key=key, **more)

    monkeypatch.setattr(st, "download_button", checked)
    yield
    assert not wrong, "\n".join(wrong)


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
