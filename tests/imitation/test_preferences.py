"""A CAPO run that begins from exported preference pairs."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
import typer
from helpers import tiny_training
from helpers.tiny_training import capo_config, sft_config, tiny_dataset, weights
from typer.testing import CliRunner

from capo_core.cli import train
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.pairs.files import (
    FILE,
    OTHERS,
    export_pairs,
    preference_examples,
    preference_rows,
    read_preferences,
    row_contrasts,
)
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.examples import TokenLimits, capo_examples, pairs_of
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder
from capo_core.workspace import Workspace

PAIR = {"prompt": "Say it.\n\nAnswer:\n", "chosen": "yes", "rejected": "no"}


@pytest.fixture(scope="module")
def dataset():
    return tiny_dataset()


@pytest.fixture(scope="module")
def sft(base, dataset, tmp_path_factory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "sft")
    train_sft(dataset, "A", sft_config(epochs=1), base, folder)
    return folder


@pytest.fixture
def exported(dataset, tmp_path):
    """The pairs that `pairs export` writes for A: 14 items, two others each."""
    return export_pairs(pairs_of(dataset, "A", capo_config()), dataset, tmp_path / "a.jsonl")


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def notes(folder: RunFolder) -> dict[str, int]:
    return {event["note"]: event["count"] for event in folder.events("note")}


def train_in(folder, dataset, config, sft: RunFolder, pairs) -> RunFolder:
    """The CAPO run in a workspace that has the SFT run."""
    workspace = Workspace(folder)
    shutil.copytree(sft.path, workspace.runs / sft.run_id)
    return tiny_training.train(workspace, dataset, config, sft, preferences=pairs)


@pytest.mark.parametrize("how", ["uniform", "specific"])
def test_exported_pairs_are_the_contrasts_of_the_dataset(base, dataset, tmp_path, how):
    config = capo_config(pairs=PairsConfig(weights=how))
    limits = TokenLimits(load_base_model(base).tokenizer, config.max_tokens, named=False)
    own = capo_examples(dataset, ["A"], config, limits)
    path = export_pairs(pairs_of(dataset, "A", config), dataset, tmp_path / "a.jsonl")
    found = preference_examples(read_preferences(path), "A", limits)
    assert found.contrasts == own.contrasts and len(own) == 14
    assert any(contrast.weights for contrast in own.contrasts) == (how == "specific")


def test_a_prompt_groups_its_pairs_and_scores_each_response_once(base, tmp_path):
    more = {**PAIR, "rejected": "maybe", "target_annotator_id": "", "item_id": None}
    turned = {**PAIR, "chosen": "no", "rejected": "yes", "weight": 2}  # another judge's vote
    rows = read_preferences(lines(tmp_path / "p.jsonl", PAIR, more, turned)).rows
    (made,) = row_contrasts(rows, load_base_model(base).tokenizer)
    assert len(made.rendered.responses) == 3
    assert made.chosen == (0, 1) and made.rejected == ((1, 2), (0,))
    assert made.weights == ((1.0, 1.0), (2.0,))


def test_a_run_from_the_file_learns_the_same_and_keeps_a_copy(dataset, sft, exported, tmp_path):
    own = RunFolder(tmp_path / "own")
    train_capo(dataset, "A", capo_config(epochs=1), sft, own)
    assert "preferences" not in own.config["settings"]
    config = capo_config(epochs=1, preferences=read_preferences(exported).sha256)
    run = train_in(tmp_path, dataset, config, sft, exported)
    assert all(torch.equal(value, weights(own)[name]) for name, value in weights(run).items())
    assert run.result["validation_loss"] == own.result["validation_loss"]
    assert run.config["settings"]["preferences"] == read_preferences(exported).sha256
    assert (run.path / FILE).read_bytes() == exported.read_bytes()
    (pairs,) = (count for note, count in notes(run).items() if note.startswith("pairs from"))
    assert pairs == 28 and not any("must not be scored" in note for note in notes(run))


def test_the_file_and_its_copy_are_verified_and_the_copy_is_enough(
    dataset, sft, exported, tmp_path
):
    config = capo_config(epochs=1, preferences=read_preferences(exported).sha256)
    folder = RunFolder(tmp_path / "run")

    def stop(what: str, share: float) -> None:
        if "step 3 of" in what:
            raise Stopped("enough")

    with pytest.raises(RunError, match="are missing"):
        train_capo(dataset, "A", config, sft, folder)
    with pytest.raises(Stopped):
        train_capo(dataset, "A", config, sft, folder, preferences=exported, progress=stop)
    whole = exported.read_bytes()
    exported.write_bytes(whole + b"\n")
    with pytest.raises(RunError, match="were changed since the run was started"):
        train_capo(dataset, "A", config, sft, folder, preferences=exported)
    (folder.path / FILE).write_bytes(whole[:-2])
    with pytest.raises(RunError, match="were changed since the run was started"):
        train_capo(dataset, "A", config, sft, folder)
    (folder.path / FILE).write_bytes(whole)
    assert train_capo(dataset, "A", config, sft, folder).steps == 4


def test_held_out_items_are_told_and_other_annotators_pairs_left_out(dataset, sft, tmp_path):
    rows = preference_rows(pairs_of(dataset, "A", capo_config(), split="test"), dataset)
    assert len(rows) == 4  # i18 and i19, two others each
    for row in rows[2:]:  # known by its prompt alone
        del row["item_id"]
    other = {**PAIR, "target_annotator_id": "B", "item_id": "i14"}
    path = lines(tmp_path / "study.jsonl", *rows, other)
    config = capo_config(epochs=1, preferences=read_preferences(path).sha256)
    run = train_in(tmp_path, dataset, config, sft, path)
    told = notes(run)
    assert told["test items among the training pairs: they must not be scored"] == 2
    assert not any(note.startswith("validation items") for note in told)
    assert run.result["skipped"] == {OTHERS: 1} and told[f"left out: {OTHERS}"] == 1
    with pytest.raises(ConfigError, match=r"no preference pair is of annotator 'C'.*one of B"):
        read_preferences(lines(tmp_path / "b.jsonl", other)).of("C")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "this is not JSON"),
        ("[1]", "this is not a JSON object"),
        ({**PAIR, "prompt": None}, "prompt is missing"),
        ({**PAIR, "chosen": 3}, "chosen is no text"),
        ({**PAIR, "rejected": " "}, "rejected is no text"),
        ({**PAIR, "rejected": "yes"}, "chosen and rejected are the same"),
        ({**PAIR, "weight": 0}, "the weight is 0"),
        ({**PAIR, "weight": 10**400}, "the weight is inf"),
        ({**PAIR, "weight": True}, "the weight is True"),
        ({**PAIR, "weight": float("nan")}, "the weight is nan"),
        ({**PAIR, "chosen": "\ud800"}, "chosen is not valid Unicode"),
        ({**PAIR, "item_id": 7}, "item_id is no text"),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, said):
    text = row if isinstance(row, str) else json.dumps(row)
    path = tmp_path / "p.jsonl"
    path.write_text(f"{json.dumps(PAIR)}\n\n{text}\n")
    with pytest.raises(DataError, match=rf"p\.jsonl, line 3: {said}.*Expected"):
        read_preferences(path)


def test_a_file_without_pairs_and_no_file(tmp_path):
    (tmp_path / "none.jsonl").write_text("\n")
    with pytest.raises(DataError, match="there is no preference pair"):
        read_preferences(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_preferences(tmp_path / "gone.jsonl")


def test_the_setting_is_a_hash_and_left_out_where_empty():
    assert "preferences" not in CapoConfig().to_dict()
    asked = CapoConfig(preferences="0a" * 32)
    assert CapoConfig.from_dict(asked.to_dict()) == asked
    with pytest.raises(ConfigError, match="preferences"):
        CapoConfig(preferences="pairs.jsonl")
    with pytest.raises(ConfigError, match="one adapter per annotator"):
        replace(asked, shared=True)


def test_from_the_command_line(base, dataset, exported, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    Catalog(Workspace(tmp_path)).add(dataset)
    app = typer.Typer()
    train.mount(app)
    line = ["train", "capo", "--dataset", "tiny", "--base", base, "--epochs", "1",
            "--items-per-step", "7", "--sample-every", "0", "--preferences", str(exported),
            "--contrast", "response", "--no-calibrate", "--json"]  # fmt: skip
    nobody = CliRunner().invoke(app, [*line, "--annotator", "B"])
    assert nobody.exit_code == 2, nobody.output
    assert "no preference pair is of annotator 'B'" in " ".join(nobody.output.split())
    assert not Workspace(tmp_path).runs.exists()  # said before the SFT adapter is trained
    done = CliRunner().invoke(app, [*line, "--annotator", "A"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    run = RunFolder(tmp_path / "runs" / result["run_id"])
    assert run.config["settings"]["preferences"] == read_preferences(exported).sha256
    assert (result["training_items"], result["steps"]) == (14, 2)
