"""Databases for the tests of the studies' store."""

import pytest
from helpers.postgres import FAST, running
from helpers.small_study import SmallStudy

from capo_core.workspace import Workspace


def pytest_generate_tests(metafunc):
    """`study` is in SQLite; with `@small_study.on_both` the test is run on PostgreSQL too."""
    if "database" in metafunc.fixturenames:
        both = getattr(metafunc.function, "on_both", False)
        metafunc.parametrize("database", ["sqlite", "postgresql"] if both else ["sqlite"])


@pytest.fixture(scope="session")
def postgres():
    yield from running(*FAST)


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
def study(database, request, workspace, monkeypatch):
    """A small study, named s1, with two sequences."""
    if database == "postgresql":
        monkeypatch.setenv("CAPO_DATABASE_URL", request.getfixturevalue("postgres").database())
    made = SmallStudy(workspace)
    yield made
    made.dispose()
