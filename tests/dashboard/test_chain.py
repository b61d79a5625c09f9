"""What the overview says of imitation and comparison."""

from collections import Counter

import pytest

from capo_core.dashboard.chain import compared, imitated, run_states
from capo_core.data.catalog import Catalog
from capo_core.jobs import queue
from capo_core.jobs.record import Status
from capo_core.workspace import Workspace


def test_nothing_is_said_in_words():
    assert imitated(Counter()).startswith("Nothing yet.")
    assert compared(Counter()).startswith("Nothing to compare yet")


def test_runs_are_counted_by_their_state():
    states = Counter({("train_sft", "succeeded"): 2, ("generate", "succeeded"): 3,
                      ("generate", "failed"): 1})  # fmt: skip
    assert imitated(states) == "6 runs: 5 succeeded, 1 failed."
    assert compared(states) == "3 runs with answers, no evaluation yet."
    states["evaluate", "succeeded"] = 1
    assert compared(states) == "3 runs with answers, 1 evaluation."


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    # Nothing begins: what is asked for here stays a folder.
    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    return Workspace(tmp_path)


def test_only_runs_on_the_same_dataset_count(workspace):
    entry = Catalog(workspace).entry("demo-nli")
    for name, state in (("demo-nli", "succeeded"), ("demo-paraphrase", "succeeded")):
        run = queue.submit(
            workspace,
            "generate",
            {
                "dataset": name,
                "targets": ["A"],
                "base": "embedded",
                "config": {"method": "zero_shot"},
            },
        )
        run.write(Status(state=state))
    (workspace.runs / "broken").mkdir()
    (workspace.runs / "broken" / "request.json").write_text("{")
    assert sum(run_states(workspace, entry).values()) == 1
