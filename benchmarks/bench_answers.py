"""Answers of a real model with adapters, by PEFT's and PyTorch's layers and by the product's own.

    python benchmarks/bench_answers.py --base smollm2 --dataset varierr --annotator 2 \\
        --adapter FOLDER [FOLDER] [--items 60]

The validation items of an annotator are answered with one adapter, or half-way between two, as a
calibration does; with the layers as they are loaded and small batches, as builds before did, and
as it is done today. CPU seconds of one thread, all in one process, so that the ratio does not
depend on the machine's load. `label_scores`: the largest difference of a label's log-probability,
which is rounding.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from measuring import peak_memory_gb, report

FORMER_TOKENS = 8192  # of a batch, before


def main() -> None:
    import torch

    from capo_core.data.catalog import Catalog
    from capo_core.imitation.backends import transformers
    from capo_core.imitation.backends.base import BATCH_TOKENS
    from capo_core.workspace import Workspace

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="embedded", help="name or folder")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--dataset", default="demo-nli")
    parser.add_argument("--annotator", help="default: the first")
    parser.add_argument("--adapter", nargs="+", type=Path, default=[])
    parser.add_argument("--items", type=int, default=60)
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = Catalog(Workspace.default()).load(given.dataset)
    given.annotator = given.annotator or dataset.annotators[0]
    today = transformers.speed_up_answers
    transformers.speed_up_answers = lambda model: None
    before = measured(dataset, given, FORMER_TOKENS)
    transformers.speed_up_answers = today
    after = measured(dataset, given, BATCH_TOKENS)
    scores = zip(before.pop("scores"), after.pop("scores"), strict=True)
    report(
        {
            "settings": {k: v for k, v in vars(given).items() if k != "adapter"},
            "adapters": len(given.adapter),
            "before": before,
            "today": after,
            "ratio": round(before["cpu_s"] / after["cpu_s"], 2),
            "label_scores": max(abs(a - b) for a, b in scores),
            "peak_memory_gb": peak_memory_gb(),
        }
    )


def measured(dataset, given: argparse.Namespace, batch_tokens: int) -> dict:
    """CPU seconds of answers by a model that is loaded anew."""
    from capo_core.imitation.backends.base import GenerationRequest
    from capo_core.imitation.backends.transformers import TransformersBackend
    from capo_core.imitation.generation.requests import GenerateConfig, PromptBuilder, decoding_of
    from capo_core.imitation.models.adapter_strength import Blend
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.responses import items_of

    base = load_base_model(given.base, precision=given.precision, device="cpu")
    if len(given.adapter) > 1:
        blend = Blend(base, {f"a{k}": folder for k, folder in enumerate(given.adapter)})
        blend.set({f"a{k}": 1 / len(given.adapter) for k in range(len(given.adapter))})
    backend = TransformersBackend(base, batch_tokens=batch_tokens)
    config = GenerateConfig("capo", split="validation")
    builder = PromptBuilder(dataset, config, backend, {}, lambda *_: ())
    one = str(given.adapter[0]) if len(given.adapter) == 1 else ""
    requests = [
        GenerationRequest(
            key=item.item_id,
            prompt=builder.build(given.annotator, item)[0],
            adapter=one,
            seed=number,
            label=builder.label_choice(given.annotator),
        )
        for number, item in enumerate(items_of(dataset, "validation")[: given.items])
    ]
    decoding = decoding_of(dataset, config)
    list(backend.complete(requests[:2], decoding))  # the first ones also set things up
    began = time.process_time()
    replies = {request.key: reply for request, reply in backend.complete(requests, decoding)}
    seconds = time.process_time() - began
    written = sum(reply.output_tokens for reply in replies.values())
    return {
        "cpu_s": round(seconds, 2),
        "answers": len(replies),
        "output_tokens": written,
        "output_tokens_per_cpu_s": round(written / seconds, 1),
        "scores": [score for key in sorted(replies) for score in replies[key].label_scores],
    }


if __name__ == "__main__":
    main()
