"""A tiny base model to train. One thread: two that wait for each other are many times slower on
models this small."""

import pytest
import torch
from helpers.tiny_training import tiny_base

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    return tiny_base(tmp_path_factory.mktemp("base") / "llama")
