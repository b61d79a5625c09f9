"""The server backend against a real server: `transformers serve` on this machine."""

import socket
import time
from urllib.request import ProxyHandler, build_opener

import pytest
from helpers.tiny_training import tiny_base, tiny_dataset
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from capo_core.imitation.backends.openai import ServerBackend, from_environment
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.models.base_model import load_base_model
from capo_core.run_folder import RunFolder

pytest.importorskip("fastapi", reason="transformers serve needs fastapi")
pytest.importorskip("uvicorn", reason="transformers serve needs uvicorn")

CHAT = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    """A tiny base with a chat template."""
    folder = tiny_base(tmp_path_factory.mktemp("base") / "llama")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def url(base):
    """The address of a server that serves it."""
    from transformers.cli.serve import Serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    level = transformers_logging.get_verbosity()
    server = Serve(base, host="127.0.0.1", port=port, device="cpu", non_blocking=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill_server()
        transformers_logging.set_verbosity(level)


def _wait_for(address: str) -> None:
    opener, end = build_opener(ProxyHandler({})), time.monotonic() + 240
    while True:
        try:
            opener.open(f"{address}/health", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_its_answers_are_those_of_the_same_model_here(base, url, tmp_path, monkeypatch):
    """Likeliest tokens have no chance in them: the server's answers are ours, token for token."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CAPO_SERVER_URL", url)
    config = GenerateConfig("zero_shot", temperature=0, max_new_tokens=12, label_choice="generated")
    data, targets = tiny_dataset(test=3), ["A", "B"]
    here = TransformersBackend(load_base_model(base, device="cpu"))
    there = ServerBackend(from_environment(base, concurrency=2, timeout_s=300))
    frames = [
        generate(data, targets, config, backend, RunFolder(tmp_path / str(number)))
        for number, backend in enumerate((here, there))
    ]
    assert len(frames[1]) == 6 and frames[1]["raw_text"].str.len().gt(0).all()
    same = ["target_annotator_id", "item_id", "raw_text", "prompt_tokens", "output_tokens"]
    assert frames[0][same].equals(frames[1][same])
    assert RunFolder(tmp_path / "1").config["base"]["server"] == url
