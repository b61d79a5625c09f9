"""Build a base: vocabulary, pre-training, validation, and a folder any causal-LM code can load."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig

from capo_core.data.simulate import TASKS
from capo_core.errors import ConfigError
from capo_core.imitation.base.batches import Batches, sample_texts
from capo_core.imitation.base.card import write_card
from capo_core.imitation.base.config import FORMATS, BaseConfig
from capo_core.imitation.base.corpus import Corpus, CorpusBatches
from capo_core.imitation.base.loop import State, train
from capo_core.imitation.base.network import answer_loss, new_network
from capo_core.imitation.base.samples import Samples
from capo_core.imitation.base.tokenizer import learn_tokenizer
from capo_core.imitation.base.world import World
from capo_core.progress import Progress, part_of, silent
from capo_core.workspace import make_folder, write_json

WEIGHTS = "model.safetensors"


def build(
    config: BaseConfig,
    out: Path,
    *,
    corpus: Corpus | None = None,
    with_tasks: bool = True,
    progress: Progress = silent,
) -> dict:
    """Build a base into `out`; returns what `out/build.json` says.

    What is half done lies in a hidden folder beside `out`; the same call goes on from there, to
    the same bytes as without the interruption. `out` is replaced when all is written.

    Args:
        corpus: texts to be learned; without them the base learns from simulated annotators alone.
        with_tasks: with a corpus: learn from simulated annotators too (half of every step).

    Raises:
        ConfigError: a build with other settings lies half done there, or `out` holds something
            that is not a base.
        Stopped: `progress` raised it; the same call goes on from there.
    """
    if out.exists() and any(out.iterdir()) and not (out / "config.json").exists():
        raise ConfigError(
            "the folder holds something else than a base",
            where=str(out),
            todo="choose an empty or a new folder with --out",
        )
    with_tasks = with_tasks or corpus is None
    folder = _begin(config, out, corpus, with_tasks)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        progress("Learning the vocabulary", 0.0)
        samples = Samples(World(config)) if with_tasks else None
        tokenizer = _tokenizer(folder, config, samples, corpus)
        tasks = Batches(samples, tokenizer) if samples else None
        batches = CorpusBatches(corpus, tokenizer, config, tasks) if corpus else tasks
        model = new_network(config, tokenizer)
        state = train(model, config, batches.step, folder, part_of(progress, 0.02, 0.97))
        progress("Validating", 0.97)
        model.half().float().eval()  # as it will be read
        losses = _validate(model, tasks)
        if corpus:
            loss, _ = answer_loss(model, batches.held_out().rows, config.label_weight)
            losses["corpus"] = {"text": {"token": round(loss, 4)}}
        about = _about(config, corpus, with_tasks, model, state, losses)
        _write(folder / "whole", model, tokenizer, about)
        _put_in_place(folder / "whole", out)
        shutil.rmtree(folder)
    finally:
        torch.set_num_threads(threads)
    return about


def _begin(config: BaseConfig, out: Path, corpus: Corpus | None, with_tasks: bool) -> Path:
    """The folder of what is half done; it belongs to these settings."""
    folder = make_folder(out.parent / f".{out.name}.building")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    plan = {
        "config": json.loads(json.dumps(asdict(config))),
        "corpus": corpus.fingerprint if corpus else "",
        "with_tasks": with_tasks,
    }
    kept = folder / "plan.json"
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8")) != plan:
        raise ConfigError(
            "a build with other settings is half done",
            where=str(folder),
            todo="repeat the command it was begun with, or delete that folder",
        )
    write_json(kept, plan)
    return folder


def _tokenizer(folder: Path, config: BaseConfig, samples: Samples | None, corpus: Corpus | None):
    kept = folder / "tokenizer"
    if not kept.exists():
        texts = list(corpus.texts) if corpus else []
        if samples:
            texts += sample_texts(samples, config.tokenizer_samples)
        part = folder / "tokenizer.part"
        learn_tokenizer(texts, config.vocabulary).save_pretrained(part)
        part.rename(kept)
    return AutoTokenizer.from_pretrained(kept)


def _validate(model, tasks: Batches | None) -> dict:
    """Format → task → losses on held-out annotators: nats a token, and of the label line."""
    losses: dict[str, dict] = {}
    for kind in FORMATS if tasks else ():
        for task in TASKS:
            token, label = answer_loss(
                model, tasks.held_out(kind, task).rows, tasks.config.label_weight
            )
            losses.setdefault(kind, {})[task] = {"token": round(token, 4)}
            if label is not None:
                losses[kind][task]["label"] = round(label, 4)
    return losses


def _about(config, corpus, with_tasks, model, state: State, losses: dict) -> dict:
    return {
        "config": asdict(config),
        "corpus": {"name": corpus.name, "texts": len(corpus.texts)} if corpus else None,
        "with_tasks": with_tasks,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": state.tokens,
        "seconds": round(state.seconds),
        "tokens_per_s": round(state.tokens / max(state.seconds, 1e-9)),
        "validation": losses,
        "log": state.log,
    }


def _write(folder: Path, model, tokenizer, about: dict) -> None:
    """Everything a base consists of. Weights in half precision, read as single: config says so."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=160,
    )
    model.half().save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", settings | {"dtype": "float32"})
    tokenizer.save_pretrained(folder)
    about["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    write_json(folder / "build.json", about)
    write_card(folder, about)


def _put_in_place(new: Path, out: Path) -> None:
    old = new.parent / "replaced"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    new.rename(out)
