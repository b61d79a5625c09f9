"""A workspace for each test, whose processes end with it."""

import pytest
from helpers.dummy_runs import end_all

from capo_core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    yield workspace
    end_all(workspace)
