"""Building a base: the same bytes however often it is interrupted, and a folder that loads."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.base_models import TINY
from transformers import AutoModelForCausalLM, AutoTokenizer

from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.imitation.embedded_base.build import build, learning_rate
from capo_core.imitation.embedded_base.corpus import read_corpus

TEXT = "The cat sat on the mat. A dog ran after number {i}, over hill {j}."


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "base"
    return out, build(TINY, out)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_stopped_twice_and_gone_on_with_is_the_same(built, tmp_path):
    out, about = built
    for at in (1, 4):  # step 1 is before the first regular checkpoint

        def stop(what, share, at=at):
            if f"step {at} " in what:
                raise Stopped("enough")

        with pytest.raises(Stopped):
            build(TINY, tmp_path / "base", progress=stop)
        assert not (tmp_path / "base").exists()
    again = build(TINY, tmp_path / "base")
    assert weights(tmp_path / "base") == weights(out)
    assert again["validation"] == about["validation"] and again["tokens"] == about["tokens"]
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_killed_and_gone_on_with_is_the_same(built, tmp_path):
    script = (  # it does not end before it is killed
        "import sys, time; from pathlib import Path; from helpers.base_models import TINY\n"
        "from capo_core.imitation.embedded_base.build import build\n"
        "def progress(what, share):\n"
        "    time.sleep(600 if 'step 5 ' in what else 0.05)\n"
        "build(TINY, Path(sys.argv[1]), progress=progress)"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path.cwd())])
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "base")],
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        checkpoint = tmp_path / ".base.building" / "checkpoint" / "state.json"
        until = time.monotonic() + 240  # a loaded machine needs long to start a Python
        while not checkpoint.exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    build(TINY, tmp_path / "base")
    assert weights(tmp_path / "base") == weights(built[0])


def test_another_seed_is_another_base(built, tmp_path):
    assert build(replace(TINY, seed=8), tmp_path / "base")["sha256"] != built[1]["sha256"]


def test_half_done_with_other_settings_is_refused(tmp_path):
    def stop(what, share):
        raise Stopped("enough")

    with pytest.raises(Stopped):
        build(TINY, tmp_path / "base", progress=stop)
    with pytest.raises(ConfigError, match="other settings"):
        build(replace(TINY, seed=8), tmp_path / "base")


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="something else"):
        build(TINY, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_an_older_base_is_replaced(built, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    build(TINY, tmp_path / "base")
    assert weights(tmp_path / "base") == weights(built[0])


def test_it_loads_as_any_causal_lm(built):
    model = AutoModelForCausalLM.from_pretrained(built[0], use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(built[0])
    assert model.dtype == torch.float32
    assert model.config.model_type == "llama" and model.config.tie_word_embeddings
    assert tokenizer.eos_token_id == model.generation_config.eos_token_id is not None
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    assert not tokenizer.chat_template
    text = 'Label: -3\nExplanation: "naïve" – it’s 1,204 €\n'
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_build_json_holds_every_setting(built):
    about = json.loads((built[0] / "build.json").read_text())
    assert about["config"]["steps"] == 6 and about["config"]["seed"] == 7
    assert about["tokens"] > 6 * 256 / 2
    assert set(about["validation"]) == {
        "zero_shot", "named", "in_context", "with_profile", "ask_for_profile"
    }  # fmt: skip
    assert about["sha256"] in (built[0] / "README.md").read_text()


@pytest.mark.parametrize("with_tasks", [False, True])
def test_a_base_from_any_text(tmp_path, with_tasks):
    (tmp_path / "texts.txt").write_text("\n".join(TEXT.format(i=i, j=i * 7) for i in range(60)))
    corpus = read_corpus(tmp_path / "texts.txt")
    config = replace(TINY, steps=30, learning_rate=1e-2)
    about = build(config, tmp_path / "base", corpus=corpus, with_tasks=with_tasks)
    # 600 tokens guessed blindly are ln 600 = 6.4 nats.
    assert about["validation"]["corpus"]["text"]["token"] < 5
    assert ("zero_shot" in about["validation"]) == with_tasks
    assert "texts.txt" in (tmp_path / "base" / "README.md").read_text()


def test_texts_of_a_table_and_of_paragraphs(tmp_path):
    rows = [f"{i},What is the price of number {i}?,A" for i in range(25)]
    (tmp_path / "table.csv").write_text("\n".join(["id,question,who", *rows]) + "\n")
    assert read_corpus(tmp_path / "table.csv").texts[0] == "What is the price of number 0?"
    (tmp_path / "book.txt").write_text("\n\n".join(f"One {i}\ntwo" for i in range(25)))
    assert read_corpus(tmp_path / "book.txt").texts[0] == "One 0\ntwo"


@pytest.mark.parametrize("content", [b"one line", b"\xff\xfe\xfa" * 9])
def test_a_corpus_that_is_none(tmp_path, content):
    (tmp_path / "texts.txt").write_bytes(content)
    with pytest.raises(DataError):
        read_corpus(tmp_path / "texts.txt")


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"seed": -1}, {"heads": 3}, {"learning_rate": 0}, {"shares": {"icl": 1.0}}],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(ConfigError):
        replace(TINY, **wrong)


def test_the_rate_rises_then_falls_to_a_twentieth():
    config = replace(TINY, steps=102, warmup_steps=2, learning_rate=1.0)
    assert [learning_rate(config, step) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]
    assert learning_rate(config, 52) == pytest.approx(0.05 + 0.95 / 2)
    assert learning_rate(config, 102) == pytest.approx(0.05)
