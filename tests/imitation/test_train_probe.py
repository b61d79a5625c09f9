"""A probe while training: scored from above, and of no influence on what is learned."""

import json

import numpy as np
import pytest
import torch
import typer
from helpers.tiny_training import capo_config, sft_config, tiny_dataset, weights
from typer.testing import CliRunner

from capo_core.cli import train
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, Stopped
from capo_core.evaluation.training_probe import Probe, probe_for
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.outputs import OutputLines
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import write_response
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.config import SftConfig
from capo_core.imitation.training.examples import sampled_items
from capo_core.imitation.training.samples import LONGEST, SampledAnswer, Sampler
from capo_core.imitation.training.sft import train_sft
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs import kinds
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace


@pytest.fixture(scope="module")
def dataset():
    return tiny_dataset()


class Counting:
    """A scorer that remembers what it was given, and draws from the global random numbers as no
    scorer should."""

    def __init__(self) -> None:
        self.seen = []

    def __call__(self, answers) -> dict:
        self.seen.append([(answer.item_id, answer.target) for answer in answers])
        torch.rand(3)
        return {"target_share": 0.5, "n": len(answers)}


def same(one: RunFolder, other: RunFolder) -> bool:
    a, b = weights(one), weights(other)
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_probe_is_told_and_changes_nothing(base, dataset, tmp_path):
    plain, probed, scorer = (
        RunFolder(tmp_path / "plain"),
        RunFolder(tmp_path / "probed"),
        Counting(),
    )
    train_sft(dataset, "A", sft_config(), base, plain)
    config = sft_config(sample_every=4, probe_items=3, samples=1)
    train_sft(dataset, "A", config, base, probed, scorer=scorer)
    assert same(plain, probed)
    events = probed.events("probe")
    # Before the first step, and after every fourth of eight.
    told = [(e["step"], e["n"], e["target_share"]) for e in events]
    assert told == [(0, 3, 0.5), (4, 3, 0.5), (8, 3, 0.5)]
    # Validation items are i14 to i17; three of them, evenly spread.
    assert scorer.seen == [[("i14", "A"), ("i15", "A"), ("i16", "A")]] * 3
    assert len(probed.events("sample")) == 3 and not plain.events("probe")


def test_probes_of_capo_stand_once_after_going_on(base, dataset, tmp_path):
    sft = RunFolder(tmp_path / "sft")
    train_sft(dataset, "A", sft_config(epochs=1), base, sft)
    config = capo_config(sample_every=2, probe_items=2, samples=0)
    straight, broken = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "broken")
    train_capo(dataset, "A", config, sft, straight, scorer=Probe(dataset))

    def stop(what: str, share: float) -> None:
        if "step 5 of" in what:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        train_capo(dataset, "A", config, sft, broken, scorer=Probe(dataset), progress=stop)
    train_capo(dataset, "A", config, sft, broken, scorer=Probe(dataset))
    assert same(straight, broken)
    told = [[{**e, "t": 0} for e in folder.events("probe")] for folder in (straight, broken)]
    assert told[0] == told[1] and [e["step"] for e in told[0]] == [0, 2, 4, 6, 8]
    assert {"target_share", "n", "low", "high", "chance", "unread"} <= set(told[0][0])


def test_a_probability_is_that_of_the_texts_and_beside_it_peoples_own(dataset):
    """Answers that are the target's own texts have the probability of the target's own texts."""
    rows = dataset.annotations
    own = rows[(rows["annotator_id"] == "A") & rows["item_id"].isin(["i14", "i15", "i16"])]
    own = own.drop_duplicates("item_id")
    answers = [
        SampledAnswer(row.item_id, "A", write_response(row.label, row.explanation))
        for row in own.itertuples()
    ]
    probe = Probe(dataset)
    told = probe(answers)
    assert told["probability"] == pytest.approx(told["human"], abs=1e-6)
    assert told["human_n"] == len(own) and told["others_n"] >= len(own)
    assert told["probability_low"] <= told["probability"] <= told["probability_high"]
    unread = probe([SampledAnswer(each.item_id, "A", "") for each in answers])
    assert unread["probability"] == 0.0 and unread["human"] == pytest.approx(told["human"], 0.2)


def test_a_small_validation_part_is_probed_once_an_item(dataset):
    """More samples than there are items are as many as there are, each item once."""
    there = dataset.items.loc[dataset.items["split"] == "validation", "item_id"]
    chosen = [item.item_id for item, _ in sampled_items(dataset, ["A"], 3 * len(there))]
    assert chosen == there.tolist()


def test_looking_draws_no_random_number(base, dataset):
    loaded = load_base_model(base)
    first, second = sampled_items(dataset, ["A"], 2)
    sampler = Sampler(dataset, loaded, [first], probe=[first, second], scorer=Probe(dataset))
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    loaded.model.train()
    events = [event for event, _ in sampler.look(loaded.model)]
    assert events == ["sample", "probe"] and loaded.model.training
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_samples_are_answers_of_a_generation(base, dataset, tmp_path):
    """Label and words of the last sample are those that a greedy generation gives."""
    folder = RunFolder(tmp_path / "sft")
    train_sft(dataset, "A", sft_config(sample_every=100, samples=2, patience=0), base, folder)
    told = {each["item_id"]: each["text"] for each in folder.events("sample")}  # the last of each
    assert folder.result["kept_step"] == folder.result["steps"]
    config = GenerateConfig(
        "sft", split="validation", temperature=0, top_p=1, max_new_tokens=LONGEST
    )
    backend = TransformersBackend(load_base_model(base))
    generate(dataset, ["A"], config, backend, RunFolder(tmp_path / "made"),
             adapters={"A": folder.adapter})  # fmt: skip
    made = {row["item_id"]: row for row in OutputLines(tmp_path / "made").read()}
    assert set(told) == {"i14", "i16"}
    for item, text in told.items():
        assert text == made[item]["raw_text"] and made[item]["label"]
    # As the model writes it, where that is asked for: an untrained one writes no label.
    written = SftConfig(label_choice="generated")
    assert written.to_dict()["label_choice"] == "generated"
    assert "label_choice" not in SftConfig().to_dict()
    loaded, asked = load_base_model(base), sampled_items(dataset, ["A"], 1)
    by_choice = {
        choice: next(Sampler(dataset, loaded, asked, label_choice=choice).look(loaded.model))[1]
        for choice in ("auto", "scores", "generated")
    }
    assert by_choice["auto"] == by_choice["scores"] != by_choice["generated"]
    assert by_choice["scores"]["text"].startswith("Label: ")


def answers(dataset, author: str, target: str) -> list[SampledAnswer]:
    """What `author` wrote on the validation items, in the place of `target`."""
    rows = dataset.annotations.merge(dataset.items[["item_id", "split"]])
    rows = rows[(rows["split"] == "validation") & (rows["annotator_id"] == author)]
    return [
        SampledAnswer(row.item_id, target, write_response(row.label, row.explanation))
        for row in rows.itertuples()
    ]


def test_the_probe_knows_the_target_by_manner(dataset):
    probe = Probe(dataset)
    own = probe(answers(dataset, "A", "A"))
    assert (own["target_share"], own["n"], own["unread"]) == (1, 4, 0)
    assert own["low"] == pytest.approx(4 / (4 + 1.959964**2), abs=1e-6)  # Wilson at 4 of 4
    assert own["high"] == 1 and own["chance"] == pytest.approx(1 / 3)
    assert probe(answers(dataset, "B", "A"))["target_share"] == 0
    mixed = [
        *answers(dataset, "A", "A")[:2],
        *answers(dataset, "C", "C")[2:3],
        SampledAnswer("i17", "A", "no label, no explanation"),
    ]
    found = probe(mixed)
    assert (found["target_share"], found["unread"]) == (0.75, 1)


def test_no_probe_unless_asked_for_and_none_without_a_scorer(base, dataset, tmp_path):
    assert "probe_items" not in SftConfig().to_dict()
    asked = SftConfig(probe_items=24)
    assert SftConfig.from_dict(asked.to_dict()) == asked
    assert probe_for(dataset, SftConfig()) is None
    assert isinstance(probe_for(dataset, asked), Probe)
    with pytest.raises(ConfigError, match="nothing to score a probe by"):
        train_sft(dataset, "A", sft_config(probe_items=2), base, RunFolder(tmp_path / "run"))
    with pytest.raises(ConfigError, match="probe_items"):
        SftConfig(probe_items=-1)


def test_the_command_line_takes_the_number(base, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    Catalog(Workspace(tmp_path)).add(dataset)
    app = typer.Typer()
    train.mount(app)
    line = ["train", "sft", "--dataset", "tiny", "--base", base, "--annotator", "A", "--epochs",
            "1", "--items-per-step", "7", "--sample-every", "2", "--probe-items", "2",
            "--json"]  # fmt: skip
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    run = RunFolder(tmp_path / "runs" / result["run_id"])
    assert [(e["step"], e["n"]) for e in run.events("probe")] == [(0, 2), (2, 2)]


def test_runs_of_the_queue_are_probed_too(base, dataset, tmp_path):
    workspace = Workspace(tmp_path)
    Catalog(workspace).add(dataset)
    config = sft_config(epochs=1, sample_every=2, probe_items=2, samples=0).to_dict()
    sft = RunFolder(workspace.runs / "sft")
    asked = {"dataset": "tiny", "target": "A", "base": base, "config": config}
    kinds.execute(RunRequest("train_sft", asked), workspace, sft, silent)
    config = capo_config(epochs=1, sample_every=2, probe_items=2, samples=0).to_dict()
    capo = RunFolder(workspace.runs / "capo")
    asked = {"dataset": "tiny", "target": "A", "sft": "sft", "config": config}
    kinds.execute(RunRequest("train_capo", asked), workspace, capo, silent)
    for run in (sft, capo):
        assert [(e["step"], e["n"]) for e in run.events("probe")] == [(0, 2), (2, 2), (4, 2)]
