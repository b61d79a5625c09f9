"""Calibrated CAPO by the commands' defaults, from training to the adapter in another program."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.tiny_training import taught_base, tiny_dataset
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.dashboard.finetune.run_actions import adapter_zip
from capo_core.data.catalog import Catalog
from capo_core.evaluation.calibration import LABEL_LOSS
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.requests import GenerateConfig, decoding_of, output_requests
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import PromptItem, prompt_ids, zero_shot
from capo_core.imitation.training.calibration import FULL, STRENGTHS, between
from capo_core.provenance import Provenance
from capo_core.run_folder import RunFolder
from capo_core.runs.run import find_run
from capo_core.task import NLI
from capo_core.text import embeddings
from capo_core.workspace import Workspace

QUICK = ("--items-per-step", "4", "--sample-every", "0", "--patience", "0", "--precision", "fp32")
PROMPT = zero_shot(NLI, PromptItem("", "The cat sleeps at 3.", "A cat is there."))


def bag_of_words(texts) -> np.ndarray:
    """Return a unit vector for each text, equal for equal words: an encoder in no time."""
    table = np.full((len(texts), 32), 1e-3, dtype=np.float32)
    for row, text in zip(table, texts, strict=True):
        for word in text.lower().split():
            row[sum(word.encode()) % 32] += 1
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def call(*arguments: str):
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    home = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPO_WORKSPACE", str(home / "ws"))
        patch.setattr(embeddings, "load_encoder", lambda model: bag_of_words)
        workspace = Workspace.default()
        Catalog(workspace).add(tiny_dataset(validation=6, test=4))
        yield workspace


@pytest.fixture(scope="module")
def base(tmp_path_factory, workspace) -> str:
    return taught_base(tmp_path_factory.mktemp("base"), Catalog(workspace).load("tiny"))


@pytest.fixture(scope="module")
def runs(workspace, base) -> tuple[RunFolder, RunFolder]:
    """The SFT run, and the CAPO run that named none of its form."""
    one = ("--dataset", "tiny", "--annotator", "A")
    before = ("--epochs", "1", "--learning-rate", "5e-3", "--rank", "4", "--alpha", "8")
    (sft,) = call("train", "sft", *one, "--base", base, *before, *QUICK)
    after = ("--epochs", "3", "--learning-rate", "1e-2")
    (capo,) = call("train", "capo", *one, "--sft", sft["run_id"], *after, *QUICK)
    return tuple(RunFolder(workspace.runs / each["run_id"]) for each in (sft, capo))


@pytest.fixture(scope="module")
def chosen(runs) -> float:
    return runs[1].result["calibration"]["strength"]


def test_the_strength_is_chosen_among_those_that_keep_the_labels(runs, chosen):
    settings = runs[1].config["settings"]
    assert (settings["contrast"], settings["calibrate"]) == ("explanation", True)
    found = runs[1].result["calibration"]
    assert found["n"] == 6 and set(found["by_classifier"]) == {"words", "embedding"}
    answered = {float(strength) for strength in found["distance"]}
    assert answered <= set(STRENGTHS) and len(answered) >= 3
    right = found["label_accuracy"]
    allowed = [each for each in found["distance"] if right[each] >= right["0"] - LABEL_LOSS]
    nearest = min(allowed, key=lambda each: (found["distance"][each], float(each)))
    assert chosen == float(nearest) and 0 < chosen < 1
    assert "strength" not in runs[0].result.get("calibration", {})


def test_the_adapter_of_the_run_is_the_one_at_that_strength_and_says_so(runs, chosen):
    sft, capo = runs
    ends = load_file(sft.adapter / WEIGHTS), load_file(capo.path / FULL / WEIGHTS)
    saved = load_file(capo.adapter / WEIGHTS)
    wanted = between(*ends, chosen)
    assert all(torch.equal(saved[name], wanted[name]) for name in wanted)
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    row = f"| strength | {chosen:g} of the way from SFT (0) to CAPO (1), chosen on 6 validation"
    assert row in (capo.adapter / "README.md").read_text()
    assert json.loads((capo.adapter / "capo.json").read_text())["strength"] == chosen
    for plain in (sft.adapter, capo.path / FULL):
        assert "| strength |" not in (plain / "README.md").read_text()
        assert "strength" not in json.loads((plain / "capo.json").read_text())


def test_a_generation_answers_at_that_strength(runs, chosen, workspace, base):
    def texts(method: str) -> dict[str, str]:
        one = ("--dataset", "tiny", "--annotator", "A", "--method", method)
        made = call(
            "generate", *one, "--temperature", "0", "--max-new-tokens", "24", "--precision", "fp32"
        )
        folder = workspace.runs / made["run"]
        rows = [json.loads(line) for line in (folder / "outputs.jsonl").read_text().splitlines()]
        return {row["item_id"]: row["raw_text"] for row in rows}

    def blended(strength: float) -> dict[str, str]:
        """Return the answers of the adapter blended to a strength in memory."""
        read = load_base_model(base, precision="fp32", device="cpu")
        blend = Blend(read, {"sft": runs[0].adapter, "capo": runs[1].path / FULL})
        blend.set({"sft": 1 - strength, "capo": strength})
        data = Catalog(workspace).load("tiny")
        config = GenerateConfig("capo", temperature=0.0, max_new_tokens=24)
        backend = TransformersBackend(read)
        asked = output_requests(
            data, ["A"], config, backend, run_id="blended", adapters={"A": "-"}, profiles={},
            choose=lambda *_: (),
        )  # fmt: skip
        requests = [replace(each.request, adapter="") for each in asked]
        replies = backend.complete(requests, decoding_of(data, config))
        found = {request.key: reply.text for request, reply in replies}
        return {each.item_id: found[each.request.key] for each in asked}

    answers = texts("capo")
    assert len(answers) == 4 and answers == blended(chosen)
    assert answers != blended(1.0)


def test_the_exported_adapter_is_the_same_model_in_plain_peft(
    runs, chosen, tmp_path, workspace, base
):
    sft, capo = runs
    packed = adapter_zip(find_run(workspace, capo.run_id), Provenance("tiny", ""))
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path)
    folder = tmp_path / capo.run_id
    theirs = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    read = load_base_model(base, precision="fp32", device="cpu")
    blend = Blend(read, {"sft": sft.adapter, "capo": capo.path / FULL})
    blend.set({"sft": 1 - chosen, "capo": chosen})
    ids = torch.tensor([prompt_ids(PROMPT, read.tokenizer)])
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, read.model(ids).logits, atol=1e-4, rtol=0)
