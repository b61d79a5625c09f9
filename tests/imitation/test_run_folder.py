"""A run's folder: claimed once, locked once, read by anyone."""

import json

import pytest

from capo_core.errors import RunError
from capo_core.run_folder import RunFolder, find_run, list_runs, run_for, run_id
from capo_core.workspace import Workspace

ASKED = {
    "stage": "sft",
    "target": "A",
    "dataset": {"name": "tiny", "fingerprint": "f1"},
    "settings": {"epochs": 3, "modules": ["q", "v"]},
}


def test_the_same_question_finds_the_same_folder(tmp_path):
    workspace = Workspace(tmp_path)
    folder = run_for(workspace, ASKED)
    folder.claim(ASKED)
    folder.claim(ASKED)  # a second time is no mistake
    assert run_for(workspace, json.loads(json.dumps(ASKED))).config == folder.config
    assert [run.run_id for run in list_runs(workspace)] == [folder.run_id]
    assert find_run(workspace, folder.run_id).path == folder.path
    with pytest.raises(RunError, match="no run named"):
        find_run(workspace, "another")


def test_names_are_safe_and_differ_where_questions_differ():
    names = {run_id("d", "sft", who, {"who": who}) for who in ("Ä b/c", "Ä b?c", "../x", "")}
    assert len(names) == 4
    assert all("/" not in name and not name.startswith(".") for name in names)


def test_a_folder_of_another_run_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(ASKED)
    with pytest.raises(RunError, match=r"settings\.epochs was 3 and is 4 now"):
        folder.claim({**ASKED, "settings": {"epochs": 4, "modules": ["q", "v"]}})
    with pytest.raises(RunError, match="the dataset has changed since"):
        folder.claim({**ASKED, "dataset": {"name": "tiny", "fingerprint": "f2"}})


def test_one_process_at_a_time(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.lock(), pytest.raises(RunError, match="another process"), folder.lock():
        pass
    with folder.lock():
        pass


def test_events_are_read_whole_and_cut(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(ASKED)
    folder.log("step", step=1, loss=float("nan"))
    size = folder.events_size()
    folder.log("step", step=2, text="ä\u2028b")
    with folder.events_path.open("a") as file:
        file.write('{"half')
    assert [event["step"] for event in folder.events("step")] == [1, 2]
    assert folder.events()[0]["loss"] is None
    folder.cut_events(size)
    assert [event["step"] for event in folder.events("step")] == [1]


def test_a_torn_event_spoils_no_other(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(ASKED)
    folder.log("step", step=1)
    with folder.events_path.open("a") as file:
        file.write('{"t": 1, "event": "st')  # the disk was full
    folder.log("step", step=2)
    folder.log("step", step=3)
    assert [event["step"] for event in folder.events()] == [1, 2, 3]


def test_a_run_without_outcome_says_so(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunError, match="no such run"):
        _ = folder.config
    folder.claim(ASKED)
    assert not folder.done
    with pytest.raises(RunError, match="not finished"):
        _ = folder.result
    folder.finish({"steps": 3})
    assert folder.done and folder.result == {"steps": 3}


@pytest.mark.parametrize("content", [b"", b'{"steps"', b"[]", b"null", b"\xff\0"])
def test_a_damaged_outcome_says_what_to_do(tmp_path, content):
    folder = RunFolder(tmp_path / "run")
    folder.finish({"steps": 3})
    (folder.path / "result.json").write_bytes(content)
    with pytest.raises(RunError, match=r"result.json is damaged.+What to do: put a copy"):
        _ = folder.result
    (folder.path / "result.json").unlink()
    (folder.path / "result.json").mkdir()
    with pytest.raises(RunError, match=r"result.json cannot be read"):
        _ = folder.result
