"""Databases for the tests of the studies' store."""

import pytest
from pg_server import FAST, running
from small_study import SmallStudy

from capo_core.workspace import Workspace


@pytest.fixture(scope="session")
def postgres():
    yield from running(*FAST)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request, tmp_path, monkeypatch):
    """A workspace whose studies are kept in SQLite, then one whose are in PostgreSQL."""
    if request.param == "postgresql":
        monkeypatch.setenv("CAPO_DATABASE_URL", request.getfixturevalue("postgres").database())
    else:
        monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    return Workspace(tmp_path)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose studies are kept in SQLite."""
    monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    return Workspace(tmp_path)


@pytest.fixture
def make_study(workspace):
    """Makes small studies in SQLite, and lets their files go at the end."""
    made = []

    def make(**shape):
        made.append(SmallStudy(workspace, name=f"s{len(made) + 1}", **shape))
        return made[-1]

    yield make
    for study in made:
        study.dispose()


@pytest.fixture
def study(either):
    """A small study with two sequences, on each of the databases."""
    made = SmallStudy(either)
    yield made
    made.dispose()
