"""CAPO against TRL's DPOTrainer: the same model, pairs and start; CPU seconds and peak memory.

    python benchmarks/bench_training.py [--items 96] [--base embedded]

Three questions, each variant in a process of its own, all in one run:

1. One pass over the same pairs: TRL with a precomputed reference, in batches of as many pairs as
   our steps hold, against our training with the tree. `pass_ratio` is the pass alone: TRL's
   training without its reference, and what a further pass of ours costs. `one_pass_ratio` is all
   that it takes to make one: pairs, tokens and reference with both, with us also self-check,
   checkpoints and the adapter's files.
   Before it, loss and gradient of the first step are compared: it is the same algorithm.
2. Time to equal loss: TRL's one pass in batches of 4 pairs, where each chosen response is visited
   with every rejected one, against as many passes of ours as reach its mean loss over all pairs.
3. Peak memory beside each other.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from measuring import peak_memory_gb, report, timed

RATE, BETA, PER_STEP = 5e-4, 0.1, 4


def data(items: int):
    """The first training items of the demo, without validation, so that a pass is only a pass."""
    from capo_core.data.catalog import load_shipped

    dataset = load_shipped("demo-nli")
    train = dataset.items[dataset.items["split"] == "train"].head(items)
    rows = dataset.annotations
    rows = rows[rows["item_id"].isin(train["item_id"])]
    return replace(dataset, name="part", items=train, annotations=rows, crowd=None)


def settings(epochs: int = 1):
    from capo_core.imitation.training.config import CapoConfig

    return CapoConfig(
        epochs=epochs, learning_rate=RATE, items_per_step=PER_STEP, beta=BETA, nll=0.0,
        warmup_share=0.0,
        schedule="constant", sample_every=0, patience=0, checkpoint_every=10_000,
    )  # fmt: skip


def trl_trainer(folder: Path, items: int, base: str, pairs_per_step: int):
    from datasets import Dataset
    from transformers.utils import logging
    from trl import DPOConfig, DPOTrainer

    from capo_core.imitation.models.adapters import load_adapter
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.pairs.build import PairsConfig, build_pairs
    from capo_core.imitation.pairs.files import preference_rows

    logging.disable_progress_bar()
    dataset = data(items)
    rows = preference_rows(build_pairs(dataset, "A", PairsConfig()), dataset)
    loaded = load_base_model(base)
    arguments = DPOConfig(
        output_dir=str(folder / "trl"), use_cpu=True, bf16=False, gradient_checkpointing=False,
        per_device_train_batch_size=pairs_per_step, num_train_epochs=1, learning_rate=RATE,
        lr_scheduler_type="constant", beta=BETA, precompute_ref_log_probs=True, disable_tqdm=True,
        report_to="none", save_strategy="no", logging_steps=10_000, dataloader_pin_memory=False,
        max_grad_norm=1.0, weight_decay=0.0, seed=0,
    )  # fmt: skip
    return DPOTrainer(
        model=load_adapter(loaded, folder / "sft" / "adapter", trainable=True),
        args=arguments,
        train_dataset=Dataset.from_list(
            [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in rows]
        ),
        processing_class=loaded.tokenizer,
    )


def run_trl(folder: Path, items: int, base: str, pairs_per_step: int) -> dict:
    import torch

    from capo_core.imitation.models.base_model import load_base_model

    torch.set_num_threads(1)
    load_base_model(base)  # reading the libraries and the weights is not what is compared
    for library in ("datasets", "trl"):
        importlib.import_module(library)
    found: dict = {"variant": f"TRL, {pairs_per_step} pairs a step"}
    before: dict = {}
    with timed(before):  # TRL computes the reference where the trainer is made
        trainer = trl_trainer(folder, items, base, pairs_per_step)
    with timed(found):
        trainer.train()
    found["pass_cpu_s"] = found["cpu_s"]
    found["cpu_s"] = round(found["cpu_s"] + before["cpu_s"], 2)
    found["peak_memory_gb"] = peak_memory_gb()
    trainer.model.save_pretrained(
        str(folder / f"trl-{pairs_per_step}"), selected_adapters=["default"]
    )
    found["loss_after"] = mean_loss(folder, items, base, folder / f"trl-{pairs_per_step}")
    return found


def run_ours(folder: Path, items: int, base: str, epochs: int) -> dict:
    import torch

    from capo_core.imitation.training.capo import train_capo
    from capo_core.run_folder import RunFolder

    torch.set_num_threads(1)
    dataset, sft = data(items), RunFolder(folder / "sft")
    from capo_core.imitation.models.base_model import load_base_model

    load_base_model(base)  # reading the libraries and the weights is not what is compared
    made = RunFolder(folder / f"ours-{epochs}")
    found: dict = {"variant": f"ours, {PER_STEP} items a step, {epochs} passes"}
    with timed(found):
        train_capo(dataset, "A", settings(epochs), sft, made)
    found["engine"] = made.result["engine"]
    found["peak_memory_gb"] = peak_memory_gb()
    found["loss_after"] = mean_loss(folder, items, base, made.adapter)
    return found


def mean_loss(folder: Path, items: int, base: str, adapter: Path) -> float:
    """Mean pairwise loss over all pairs, by the plain engine for everybody."""
    import torch

    from capo_core.imitation.models.adapters import load_adapter
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.training.examples import TokenLimits, capo_examples
    from capo_core.imitation.training.losses import contrastive_loss
    from capo_core.imitation.training.objective import collate
    from capo_core.imitation.training.scoring.engines import GroupEngine

    engine = GroupEngine()
    totals, units = 0.0, 0.0
    scored: list[list[torch.Tensor]] = []
    for source in (folder / "sft" / "adapter", adapter):
        loaded = load_base_model(base)
        limits = TokenLimits(loaded.tokenizer, 1024, False)
        material = capo_examples(data(items), ["A"], settings(), limits)
        model = load_adapter(loaded, source).eval()
        with torch.no_grad():
            scored.append(
                [engine.score(model, [c.rendered], pad_id=0).log_probs for c in material.contrasts]
            )
    for contrast, reference, policy in zip(material.contrasts, *scored, strict=True):
        index = collate([contrast])
        tokens = torch.tensor([len(r) for r in contrast.rendered.responses])
        parts = contrastive_loss(
            "pairwise", *index.split(policy), *index.split(reference), index.mask, beta=BETA,
            chosen_tokens=index.split(tokens)[0], rejected_tokens=index.split(tokens)[1],
        )  # fmt: skip
        totals, units = totals + float(parts.total), units + parts.units
    return round(totals / units, 4)


def prepare(folder: Path, items: int, base: str) -> dict:
    """The SFT adapter that all begin with."""
    from capo_core.imitation.training.config import SftConfig
    from capo_core.imitation.training.sft import train_sft
    from capo_core.run_folder import RunFolder

    made = train_sft(
        data(items), "A", SftConfig(epochs=2, sample_every=0), base, RunFolder(folder / "sft")
    )
    return {"sft_steps": made.steps}


def same_step(folder: Path, items: int, base: str, _: int) -> dict:
    """Loss and gradient of the first items with both, from a policy away from its reference."""
    import torch

    from capo_core.imitation.training.examples import TokenLimits, capo_examples
    from capo_core.imitation.training.losses import contrastive_loss
    from capo_core.imitation.training.objective import collate
    from capo_core.imitation.training.scoring.engines import TreeEngine

    torch.set_num_threads(1)
    trainer = trl_trainer(folder, items, base, PER_STEP)
    model = trainer.model
    limits = TokenLimits(trainer.processing_class, 1024, False)
    material = capo_examples(data(items), ["A"], settings(), limits)
    first = material.contrasts[:PER_STEP]
    count = sum(len(contrast.rejected[0]) for contrast in first)
    assert all(len(contrast.chosen) == 1 for contrast in first)
    index, engine = collate(first), TreeEngine()
    renders = [contrast.rendered for contrast in first]
    with torch.no_grad():
        reference = index.split(engine.score(model, renders, pad_id=0).log_probs)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if ".default." in name:
            weight.data += 0.01 * torch.randn_like(weight)

    def gradient(loss) -> torch.Tensor:
        model.zero_grad()
        loss.backward()
        return torch.cat(
            [w.grad.flatten() for name, w in model.named_parameters() if ".default." in name]
        )

    model.train()
    rows = [trainer.train_dataset[i] for i in range(count)]
    theirs = trainer.compute_loss(model, trainer.data_collator(rows))
    slope = gradient(theirs)
    table = engine.score(model, renders, pad_id=0)
    tokens = index.split(table.tokens)
    ours = contrastive_loss(
        "pairwise", *index.split(table.log_probs), *reference, index.mask, beta=BETA,
        chosen_tokens=tokens[0], rejected_tokens=tokens[1],
    ).loss  # fmt: skip
    apart = gradient(ours) - slope
    return {
        "pairs": count,
        "loss_trl": round(float(theirs), 7),
        "loss_ours": round(float(ours), 7),
        "gradient_difference": float(f"{float(apart.norm() / slope.norm()):.2g}"),
    }


PARTS = {"trl": run_trl, "ours": run_ours, "same": same_step}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--items", type=int, default=96)
    ask.add_argument("--base", default="embedded")
    ask.add_argument("--passes", type=int, nargs="+", default=[1, 2, 3])
    ask.add_argument("--part", help="one variant, in this process (used by the script itself)")
    ask.add_argument("--folder", type=Path)
    given = ask.parse_args()
    if len(set(given.passes)) < 2:
        ask.error("--passes needs two numbers or more: their difference is what a pass costs")
    if given.part:
        kind, number = given.part.split(":")
        found = PARTS[kind](given.folder, given.items, given.base, int(number))
        (given.folder / "part.json").write_text(json.dumps(found), encoding="utf-8")
        return

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "items": given.items,
            "base": given.base,
            **prepare(folder, given.items, given.base),
        }

        def variant(part: str) -> dict:
            subprocess.run(
                [sys.executable, __file__, "--part", part, "--folder", name,
                 "--items", str(given.items), "--base", given.base],
                check=True, stdout=sys.stderr,
            )  # fmt: skip
            return json.loads((folder / "part.json").read_text(encoding="utf-8"))

        result["same_step"] = variant("same:0")
        pairs = count_of_pairs(given.items)
        like = max(1, round(PER_STEP * pairs / given.items))
        result["pairs"] = pairs
        pass_trl, small_trl = variant(f"trl:{like}"), variant("trl:4")
        ours = [variant(f"ours:{epochs}") for epochs in given.passes]
    equal = next((o for o in ours if o["loss_after"] <= small_trl["loss_after"]), None)
    further = (ours[-1]["cpu_s"] - ours[0]["cpu_s"]) / (given.passes[-1] - given.passes[0])
    result |= {
        "variants": [pass_trl, small_trl, *ours],
        "further_pass_cpu_s": round(further, 2),
        "pass_ratio": round(pass_trl["pass_cpu_s"] / further, 2),
        "one_pass_ratio": round(pass_trl["cpu_s"] / ours[0]["cpu_s"], 2),
        "equal_loss_ratio": round(small_trl["cpu_s"] / equal["cpu_s"], 2) if equal else None,
    }
    report(result)


def count_of_pairs(items: int) -> int:
    from capo_core.imitation.pairs.build import PairsConfig, build_pairs

    return len(build_pairs(data(items), "A", PairsConfig()))


if __name__ == "__main__":
    main()
