"""The base that ships: small, as its card says, and able to answer."""

import hashlib
import json
from dataclasses import asdict

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from capo_core.data.catalog import load_shipped
from capo_core.imitation.embedded_base import model_card
from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting import prompts
from capo_core.imitation.prompting.prompts import prompt_ids
from capo_core.shipped import EMBEDDED_BASE
from capo_core.simulation.demo import CONFIGS


@pytest.fixture(scope="module")
def base():
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED_BASE, use_safetensors=True).eval()
    return model, AutoTokenizer.from_pretrained(EMBEDDED_BASE)


def test_it_is_small_and_has_nothing_but_safetensors():
    files = [path for path in EMBEDDED_BASE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12 * 2**20
    assert {path.suffix for path in files} == {".safetensors", ".json", ".md"}


def test_card_build_and_weights_agree():
    found = hashlib.sha256((EMBEDDED_BASE / "model.safetensors").read_bytes()).hexdigest()
    about = json.loads((EMBEDDED_BASE / "build.json").read_text())
    card = (EMBEDDED_BASE / "README.md").read_text()
    assert about["sha256"] == found and found in card
    assert f"--seed {about['config']['seed']} --steps {about['config']['steps']}" in card
    assert about["config"] == json.loads(json.dumps(asdict(EmbeddedBaseConfig())))


def test_the_card_names_every_measured_figure():
    about = json.loads((EMBEDDED_BASE / "build.json").read_text())
    card = (EMBEDDED_BASE / "README.md").read_text()
    for tasks in about["validation"].values():
        for losses in tasks.values():
            assert f"| {losses['token']:.3f} |" in card
    assert len(about["quality"]["rows"]) == 18  # 3 formats × 2 tasks × 3 temperatures


def test_the_card_says_what_it_cannot_do():
    limits = (EMBEDDED_BASE / "README.md").read_text().partition("## Limitations\n\n")[2]
    assert limits.strip() == model_card._LIMITS
    assert "paraphrase items are at the level of chance" in " ".join(limits.split())


def test_it_reads_long_prompts(base):
    model, tokenizer = base
    assert model.config.max_position_embeddings >= 4096
    assert tokenizer.eos_token_id is not None and not tokenizer.chat_template


@pytest.mark.parametrize("name", CONFIGS)
def test_it_answers_items_of_the_demo(base, name):
    model, tokenizer = base
    dataset = load_shipped(name)
    for row in dataset.items.head(5).itertuples():
        prompt = prompts.zero_shot(dataset.task, prompts.PromptItem("", row.text_a, row.text_b))
        ids = torch.tensor([prompt_ids(prompt, tokenizer)])
        written = model.generate(input_ids=ids, do_sample=False)[0, ids.shape[1] :]
        assert written[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(written, skip_special_tokens=True)
        assert not parse_response(text, dataset.task).problem
