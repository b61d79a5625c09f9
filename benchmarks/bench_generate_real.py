"""Speed of a real model's answers, with and without shared beginnings of prompts.

    python benchmarks/bench_generate_real.py --base FOLDER [--items 24] [--examples 8]
    python benchmarks/bench_generate_real.py --base FOLDER --dataset varierr --annotators 4 \\
        --items 20 --examples 50 --method zero_shot icl icl_own_words --shared-only

Zero-shot and in-context answers, greedy, each with common beginnings computed once and (unless
--shared-only) with every prompt read whole. CPU seconds of this process, all in one run, so that
the ratios do not depend on the machine's load; the answers of both ways are compared to the
character. The dataset is the shipped demo, or one of CAPO_WORKSPACE.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from measuring import peak_memory_gb, report

from capo_core.data.catalog import Catalog
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.requests import (
    GenerateConfig,
    decoding_of,
    output_requests,
    words_of,
)
from capo_core.imitation.models.base_model import LoadedBaseModel, load_base_model
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="embedded", help="name or folder")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--dataset", default="", help="of CAPO_WORKSPACE; else the shipped demo")
    parser.add_argument("--annotators", type=int, default=1, help="the first of them")
    parser.add_argument("--method", nargs="+", default=["zero_shot", "icl"])
    parser.add_argument("--shared-only", action="store_true")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--max-new-tokens", type=int, default=48)
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.dataset:
        dataset = Catalog(Workspace.default()).load(given.dataset)
    else:
        with tempfile.TemporaryDirectory() as folder:
            dataset = Catalog(Workspace(Path(folder))).load("demo-nli")
    base = load_base_model(given.base, precision=given.precision, device="cpu")
    ways = (True,) if given.shared_only else (True, False)
    found = {
        (method, share): measured(dataset, base, method, share, given)
        for method in given.method
        for share in ways
    }

    def cost(method: str, share: bool = True) -> float:
        """Return CPU seconds per answer."""
        row = found[method, share]
        return row["cpu_s"] / row["answers"]

    whole = {} if given.shared_only else {
        "same_answers": all(
            found[method, True]["texts"] == found[method, False]["texts"]
            for method in given.method
        ),
        "unshared_over_shared": {
            method: round(cost(method, False) / cost(method), 2) for method in given.method
        },
        "over_zero_shot_unshared": {
            method: round(cost(method, False) / cost("zero_shot", False), 2)
            for method in given.method if method != "zero_shot"
        },
    }  # fmt: skip
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
            "over_zero_shot": {
                method: round(cost(method) / cost("zero_shot"), 2)
                for method in given.method if method != "zero_shot"
            },
            **whole,
            "peak_memory_gb": peak_memory_gb(),
        }
    )  # fmt: skip


def measured(
    dataset, base: LoadedBaseModel, method: str, share: bool, given: argparse.Namespace
) -> dict:
    """Return CPU seconds, tokens and readable answers of one way of answering."""
    targets = dataset.annotators[: given.annotators]
    config = GenerateConfig(
        method,
        items=given.items,
        examples=given.examples,
        temperature=0.0,
        max_new_tokens=given.max_new_tokens,
    )
    backend = TransformersBackend(base, batch_tokens=given.batch_tokens, share=share)
    pools = {target: ExamplePool(dataset, target) for target in targets}
    asked = output_requests(
        dataset, targets, config, backend, run_id="bench", adapters={}, profiles={},
        choose=lambda target, item: pools[target].choose(config.examples, item),
    )  # fmt: skip
    began = time.process_time()
    replies = {
        request.key: reply
        for request, reply in backend.complete(
            [each.request for each in asked], decoding_of(dataset, config)
        )
    }
    seconds = time.process_time() - began
    print(f"{method}: {seconds:.1f} CPU s for {len(asked)} answers", file=sys.stderr, flush=True)
    texts = [replies[each.request.key].text for each in asked]
    readable = [
        not parse_response(text, words_of(dataset, each.target, config).task).problem
        for text, each in zip(texts, asked, strict=True)
    ]
    written = sum(reply.output_tokens for reply in replies.values())
    return {
        "cpu_s": round(seconds, 2),
        "answers": len(texts),
        "cpu_s_per_answer": round(seconds / len(texts), 3),
        "examples": sorted({each.examples for each in asked}),
        "too_long": sum(each.excess > 0 for each in asked),
        "prompt_tokens": sum(reply.prompt_tokens for reply in replies.values()),
        "output_tokens": written,
        "output_tokens_per_cpu_s": round(written / seconds, 1),
        "readable": sum(readable),
        "texts": texts,
    }


if __name__ == "__main__":
    main()
