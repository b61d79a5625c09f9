"""What goes wrong in training ends in a sentence that helps, and what was saved stays."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from helpers.tiny_training import capo_config, sft_config, tiny_dataset, train

from capo_core.errors import ConfigError, RunError, Stopped
from capo_core.imitation.models import adapters, base_model
from capo_core.imitation.training import checkpoint, loop
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.checkpoint import FILE, load_checkpoint
from capo_core.imitation.training.objective import Supervised
from capo_core.imitation.training.sft import sft_run_config, train_sft
from capo_core.run_folder import RunFolder, run_for
from capo_core.workspace import Workspace


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "run")


def with_column(dataset, column, change):
    """The dataset with a column of its annotations changed row by row."""
    from dataclasses import replace

    rows = dataset.annotations
    return replace(dataset, annotations=rows.assign(**{column: rows.apply(change, axis=1)}))


def test_two_training_items_are_too_few(base, folder):
    with pytest.raises(ConfigError, match="responses to 2 training items"):
        train_sft(tiny_dataset(2, 4, 4), "A", sft_config(), base, folder)
    assert not folder.path.exists()  # nothing was begun


def test_data_without_a_split(base, folder):
    dataset = tiny_dataset()
    dataset = dataset.with_split(dataset.items.set_index("item_id")["split"].iloc[:0])
    with pytest.raises(ConfigError, match="not split"):
        train_sft(dataset, "A", sft_config(), base, folder)


def test_what_is_empty_or_invalid_is_counted(base, folder):
    def explanation(row) -> str:
        return "" if row["item_id"] in ("i0", "i1") and row["annotator_id"] == "A" else "It is so."

    def valid(row) -> str:
        return "false" if row["item_id"] == "i2" and row["annotator_id"] == "A" else "true"

    dataset = with_column(with_column(tiny_dataset(), "explanation", explanation), "valid", valid)
    result = train_sft(dataset, "A", sft_config(epochs=1), base, folder)
    assert result.training_items == 14 - 3
    assert result.skipped == {"empty explanation": 2, "judged invalid": 1}
    notes = {event["note"]: event["count"] for event in folder.events("note")}
    assert notes["left out: empty explanation"] == 2 and notes["training items"] == 11


def test_an_item_with_no_other_annotator_is_counted(base, folder, tmp_path):
    from dataclasses import replace

    dataset = tiny_dataset()
    rows = dataset.annotations
    alone = (rows["item_id"] == "i5") & (rows["annotator_id"] != "A")
    dataset = replace(dataset, annotations=rows[~alone])
    sft = RunFolder(tmp_path / "sft")
    train_sft(dataset, "A", sft_config(epochs=1), base, sft)
    result = train_capo(dataset, "A", capo_config(epochs=1), sft, folder)
    assert result.training_items == 13 and result.skipped == {"no other annotator": 1}


def test_cut_responses_are_counted_and_all_cut_is_an_error(base, folder, tmp_path):
    dataset = tiny_dataset()

    def explanation(row) -> str:  # two that are long
        return row["explanation"] + " The cat sleeps." * (
            40 if row["item_id"] in ("i3", "i4") else 0
        )

    dataset = with_column(dataset, "explanation", explanation)
    result = train_sft(dataset, "A", sft_config(epochs=1, max_tokens=128), base, folder)
    assert (result.cut, result.responses) == (2, 14)
    assert any("cut to 128 tokens" in event["note"] for event in folder.events("note"))
    with pytest.raises(ConfigError, match=r"no response is whole.*max_tokens"):
        train_sft(dataset, "A", sft_config(max_tokens=16), base, RunFolder(tmp_path / "short"))


def test_a_run_of_other_settings_or_data_is_refused(base, folder):
    train_sft(tiny_dataset(), "A", sft_config(epochs=1), base, folder)
    with pytest.raises(RunError, match=r"settings\.epochs was 1 and is 2 now"):
        train_sft(tiny_dataset(), "A", sft_config(epochs=2), base, folder)
    changed = with_column(tiny_dataset(), "explanation", lambda row: row["explanation"] + " So.")
    with pytest.raises(RunError, match="the dataset has changed since"):
        train_sft(changed, "A", sft_config(epochs=1), base, folder)


def test_capo_refuses_an_sft_run_that_does_not_fit(base, folder, tmp_path):
    dataset, sft = tiny_dataset(), RunFolder(tmp_path / "sft")
    with pytest.raises(RunError, match="no such run"):
        train_capo(dataset, "A", capo_config(), sft, folder)
    with pytest.raises(Stopped):
        train_sft(dataset, "A", sft_config(), base, sft, progress=stop_in_training)
    with pytest.raises(RunError, match="SFT run is not finished"):
        train_capo(dataset, "A", capo_config(), sft, folder)
    train_sft(dataset, "A", sft_config(), base, sft)
    kept = (sft.adapter / adapters.WEIGHTS).rename(tmp_path / "kept")
    with pytest.raises(ConfigError, match="no adapter here"):
        train_capo(dataset, "A", capo_config(), sft, folder)
    kept.rename(sft.adapter / adapters.WEIGHTS)
    with pytest.raises(ConfigError, match="another annotator"):
        train_capo(dataset, "B", capo_config(), sft, folder)
    changed = with_column(dataset, "explanation", lambda row: row["explanation"] + " So.")
    with pytest.raises(ConfigError, match="changed since"):
        train_capo(changed, "A", capo_config(), sft, folder)
    other_split = tiny_dataset(12, 4, 4)
    with pytest.raises(ConfigError, match="another split"):
        train_capo(other_split, "A", capo_config(), sft, folder)


def stop_in_training(what: str, share: float) -> None:
    if "step" in what:
        raise Stopped("enough")


def test_two_processes_in_one_run(base, folder):
    with folder.lock(), pytest.raises(RunError, match="another process"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)


def test_a_full_disk_keeps_the_last_checkpoint(base, folder, monkeypatch):
    """The second checkpoint finds no room: the first stays, and the run goes on from there."""
    real, calls = os.fsync, []

    def no_room(handle):
        if Path(f"/proc/self/fd/{handle}").readlink().name.startswith(f".{FILE}"):
            calls.append(1)
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle)

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(RunError, match=r"disk is full.*free some space.*same command"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    monkeypatch.undo()
    assert load_checkpoint(folder).counters.step == 2
    assert [path.name for path in folder.checkpoint.iterdir()] == [FILE]  # no half file is left
    assert [event["step"] for event in folder.events("checkpoint")] == [2]  # what is there
    train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    assert [event["step"] for event in folder.events("step")] == list(range(1, 9))
    assert [event["step"] for event in folder.events("checkpoint")] == [2, 4, 6, 8]


def test_a_full_disk_at_the_end_loses_nothing(base, folder, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(adapters, "write_tensors", no_room)
    with pytest.raises(RunError, match="disk is full"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    monkeypatch.undo()
    assert not folder.done and not folder.adapter.exists()
    assert train_sft(tiny_dataset(), "A", sft_config(), base, folder).steps == 8


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_no_memory_says_what_takes_less(base, folder, monkeypatch, error):
    fail_at(monkeypatch, 5, error)
    with pytest.raises(RunError, match=r"not enough memory.*batch_tokens.*gradient_checkpointing"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    assert load_checkpoint(folder).counters.step == 2


def test_what_does_not_help_is_not_advised(base, folder, monkeypatch):
    """On a CPU no base is loaded in 4 bits; what is on already is not to be switched on."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    fail_at(monkeypatch, 3, MemoryError())
    with pytest.raises(RunError, match="not enough memory") as raised:
        train_sft(tiny_dataset(), "A", sft_config(gradient_checkpointing=True), base, folder)
    assert "batch_tokens" in raised.value.todo
    assert "4 bits" not in raised.value.todo
    assert "gradient_checkpointing" not in raised.value.todo
    for place, advised in (("cpu", False), ("cuda", True)):
        error = base_model._too_large(folder.path, torch.device(place))
        assert ("4 bits" in error.todo) is advised


def fail_at(monkeypatch, call: int, error: Exception) -> None:
    """The objective's call number `call` raises `error`."""
    real, calls = Supervised.batch_loss, []

    def batch_loss(self, model, cases):
        calls.append(1)
        if len(calls) == call:
            raise error
        return real(self, model, cases)

    monkeypatch.setattr(Supervised, "batch_loss", batch_loss)


def test_another_error_of_torch_is_not_called_memory(base, folder, monkeypatch):
    fail_at(monkeypatch, 2, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)


def test_numbers_that_are_not_finite_end_it(base, folder, monkeypatch):
    """The loss of step 4 is no number: checkpoint 2 stays, and no weight of it is spoilt."""
    real, calls = loop.MetricSums.add, []

    def add(self, part):
        calls.append(1)
        real(self, part)
        if len(calls) == 1 + 4:  # after the validation before the first step
            self.total = float("nan")

    monkeypatch.setattr(loop.MetricSums, "add", add)
    with pytest.raises(RunError, match=r"step 4.*loss is no finite number.*learning_rate"):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    kept = load_checkpoint(folder)
    assert kept.counters.step == 2
    assert all(torch.isfinite(each).all() for each in kept.weights.values())


def test_a_damaged_checkpoint_is_named(base, folder):
    with pytest.raises(Stopped):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder, progress=stop_in_training)
    path = folder.checkpoint / FILE
    whole = path.read_bytes()
    turned = bytearray(whole)
    turned[-5] ^= 1  # one bit of one number
    for damaged in (whole[:40], whole[:-1], bytes(turned), b""):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="checkpoint is damaged"):
            train_sft(tiny_dataset(), "A", sft_config(), base, folder)
    path.write_bytes(whole)
    assert train_sft(tiny_dataset(), "A", sft_config(), base, folder).steps == 8


def test_a_checkpoint_holds_nothing_that_could_run(base, folder):
    with pytest.raises(Stopped):
        train_sft(tiny_dataset(), "A", sft_config(), base, folder, progress=stop_in_training)
    content = (folder.checkpoint / FILE).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])  # safetensors: a length, JSON, numbers
    assert header["__metadata__"].keys() == {"counters", "digest"}
    assert {name.split("/")[0] for name in header} - {"__metadata__"} == {
        "weights",
        "best",
        *checkpoint.MOMENTS,
    }


def test_capo_trains_or_finds_its_sft_run(base, tmp_path):
    workspace, dataset = Workspace(tmp_path), tiny_dataset()
    before = sft_config(epochs=1)
    for beta in (0.1, 0.2):
        sft = train(workspace, dataset, before, base)
        assert train(workspace, dataset, capo_config(epochs=1, beta=beta), sft).done
    runs = sorted(path.name for path in workspace.runs.iterdir())
    assert [name.split("-")[1] for name in runs] == ["capo", "capo", "sft"]
    assert run_for(workspace, sft_run_config(dataset, "A", before, base)).done
    # The reference was scored once: training and validation, for both values of beta.
    assert len(list((workspace.cache / "reference").iterdir())) == 2
