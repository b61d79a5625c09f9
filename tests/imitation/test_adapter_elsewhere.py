"""Adapters outside this project: in plain PEFT, and merged into a model of their own."""

import json
import warnings

import pytest
import torch
from helpers.gguf_files import write_gguf
from helpers.tiny_training import sft_config, tiny_base, tiny_dataset, train
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, RunError
from capo_core.imitation.models.adapter_strength import response_likelihoods
from capo_core.imitation.models.adapters import load_adapter
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.models.merge import merge_run
from capo_core.imitation.models.obtain import import_gguf
from capo_core.imitation.models.workspace_models import Origin
from capo_core.imitation.prompting.prompts import PromptItem, prompt_ids, render, zero_shot
from capo_core.run_folder import RunFolder
from capo_core.task import NLI
from capo_core.workspace import Workspace

PROMPT = zero_shot(NLI, PromptItem("", "The cat sleeps at 3.", "A cat is there."))
RESPONSES = ["Label: neutral\nExplanation: Because.", "Label: entailment\nExplanation: no evidence"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def workspace(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPO_WORKSPACE", str(place / "ws"))
        workspace = Workspace.default()
        Catalog(workspace).add(tiny_dataset())
        import_gguf(write_gguf(place / "tiny.gguf"), workspace)
        yield workspace


@pytest.fixture(scope="module", params=["model of the workspace", "folder"])
def run(request, workspace, place) -> RunFolder:
    """A trained run whose adapter does something; on a model with a chat template, and without."""
    base = "tiny" if request.param != "folder" else tiny_base(place / "plain", seed=3)
    return train(workspace, tiny_dataset(), sft_config(learning_rate=0.05), base)


def greedy(model, ids: tuple[int, ...]) -> list[int]:
    with torch.no_grad():
        return model.generate(
            torch.tensor([ids]), max_new_tokens=24, do_sample=False, pad_token_id=1
        )[0].tolist()


def test_the_adapter_alone_is_enough_for_peft(run):
    base = load_base_model(run.config["base"]["name"])
    untrained = greedy(base.model, prompt_ids(PROMPT, base.tokenizer))
    ours = load_adapter(base, run.adapter)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # PEFT warns where something does not fit
        theirs = AutoPeftModelForCausalLM.from_pretrained(run.adapter, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run.adapter)
    assert tokenizer.chat_template == base.tokenizer.chat_template
    ids = prompt_ids(PROMPT, tokenizer)
    assert ids == prompt_ids(PROMPT, base.tokenizer)
    assert greedy(theirs, ids) == greedy(ours, ids) != untrained


def test_its_card_says_what_is_needed_to_use_it(run, workspace):
    import peft
    import transformers

    card = (run.adapter / "README.md").read_text()
    asked = run.config["base"]
    assert asked["name"].rpartition("/")[2] in card and asked["fingerprint"][:12] in card
    assert f"| peft | {peft.__version__} |" in card
    assert f"| transformers | {transformers.__version__} |" in card
    assert "AutoPeftModelForCausalLM" in card and "Premise: {first text}" in card
    # Else transformers takes the type of the base model's files, which need not be the run's.
    precision = run.events("engine")[0]["precision"]
    assert f"from_pretrained(folder, dtype=torch.{precision})" in card
    assert str(workspace.root) not in card
    assert "/" not in json.loads((run.adapter / "capo.json").read_text())["base"]


def test_a_merged_model_gives_the_same_log_probabilities(run, workspace):
    entry = merge_run(run, workspace, name="merged", replace=True)
    base, merged = load_base_model(run.config["base"]["name"]), load_base_model("merged")
    renders = [render(PROMPT, RESPONSES, base.tokenizer)]
    plain = response_likelihoods(base, renders)[0]
    load_adapter(base, run.adapter)
    theirs = response_likelihoods(base, renders)[0]
    ours = response_likelihoods(merged, [render(PROMPT, RESPONSES, merged.tokenizer)])[0]
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert all(abs(one - other) > 0.5 for one, other in zip(plain, theirs, strict=True))
    assert entry.kind == "merged" and entry.parameters == base.parameters
    origin = Origin.read(entry.folder)
    assert origin.source["run"] == run.run_id and origin.dtype == "float32"
    assert str(workspace.root) not in (entry.folder / "README.md").read_text()


def test_the_command_merges(run, workspace):
    call = CliRunner().invoke
    arguments = ["models", "merge", run.run_id, "--name", "by-command", "--dtype", "bf16", "--json"]
    told = json.loads(call(app, [*arguments, "--replace"]).stdout)
    assert told["kind"] == "merged" and load_base_model("by-command").parameters
    assert "'by-command' already" in call(app, arguments).stderr
    listed = json.loads(call(app, ["models", "list", "--json"]).stdout)
    assert "by-command" in {each["name"] for each in listed}


def test_only_finished_trainings_are_merged(workspace, place, run):
    with pytest.raises(RunError, match="no such run"):
        merge_run(RunFolder(workspace.runs / "none"), workspace)
    with pytest.raises(ConfigError, match="fp32 or bf16"):
        merge_run(run, workspace, dtype="fp64")
