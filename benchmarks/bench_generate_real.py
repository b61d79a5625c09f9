"""Speed of a real model's answers, with and without shared beginnings of prompts.

    python benchmarks/bench_generate_real.py --base FOLDER [--items 24] [--examples 8]

Zero-shot and in-context answers of one annotator of the shipped demo, greedy, each with common
beginnings computed once and with every prompt read whole. CPU seconds of this process, all in one
run, so that the ratios do not depend on the machine's load; the answers of both ways are compared
to the character.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from measuring import peak_memory_gb, report

from capo_core.data.catalog import Catalog
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.requests import GenerateConfig, decoding_of, output_requests
from capo_core.imitation.models.base_model import LoadedBaseModel, load_base_model
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="folder of a base model")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--max-new-tokens", type=int, default=48)
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Catalog(Workspace(Path(folder))).load("demo-nli")
    base = load_base_model(given.base, precision=given.precision, device="cpu")
    found = {}
    for method in ("zero_shot", "icl"):
        for share in (True, False):
            found[method, share] = measured(dataset, base, method, share, given)
    zero, icl = found["zero_shot", True], found["icl", True]
    whole = found["icl", False]
    report(
        {
            "base": Path(given.base).name,
            "settings": {k: v for k, v in vars(given).items() if k != "base"},
            "measured": [
                {
                    "method": method,
                    "shared": share,
                    **{k: v for k, v in row.items() if k != "texts"},
                }
                for (method, share), row in found.items()
            ],
            "icl_over_zero_shot": round(icl["cpu_s"] / zero["cpu_s"], 2),
            "icl_over_zero_shot_unshared": round(
                whole["cpu_s"] / found["zero_shot", False]["cpu_s"], 2
            ),
            "icl_unshared_over_shared": round(whole["cpu_s"] / icl["cpu_s"], 2),
            "same_answers": all(
                found[method, True]["texts"] == found[method, False]["texts"]
                for method in ("zero_shot", "icl")
            ),
            "peak_memory_gb": peak_memory_gb(),
        }
    )


def measured(
    dataset, base: LoadedBaseModel, method: str, share: bool, given: argparse.Namespace
) -> dict:
    """Return CPU seconds, tokens and readable answers of one way of answering."""
    target = dataset.annotators[0]
    config = GenerateConfig(
        method,
        items=given.items,
        examples=given.examples,
        temperature=0.0,
        max_new_tokens=given.max_new_tokens,
    )
    backend = TransformersBackend(base, batch_tokens=given.batch_tokens, share=share)
    pool = ExamplePool(dataset, target)
    asked = output_requests(
        dataset, [target], config, backend, run_id="bench", adapters={}, profiles={},
        choose=lambda _, item: pool.choose(config.examples, item),
    )  # fmt: skip
    began = time.process_time()
    replies = {
        request.key: reply
        for request, reply in backend.complete(
            [each.request for each in asked], decoding_of(dataset, config)
        )
    }
    seconds = time.process_time() - began
    texts = [replies[each.request.key].text for each in asked]
    written = sum(reply.output_tokens for reply in replies.values())
    return {
        "cpu_s": round(seconds, 2),
        "answers": len(texts),
        "prompt_tokens": sum(reply.prompt_tokens for reply in replies.values()),
        "output_tokens": written,
        "output_tokens_per_cpu_s": round(written / seconds, 1),
        "readable": sum(not parse_response(text, dataset.task).problem for text in texts),
        "texts": texts,
    }


if __name__ == "__main__":
    main()
