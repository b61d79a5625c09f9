"""Quality of a base model: answers generated for held-out annotators and items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.embedded_base.corpus import (
    HELD_OUT,
    STREAM,
    SimulatedPopulation,
    TaskSample,
    TaskSamples,
    draw_item,
)
from capo_core.imitation.embedded_base.model_card import read_about
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.parsing.result import ParsedResponse
from capo_core.imitation.prompting.prompts import prompt_ids
from capo_core.progress import Progress, silent
from capo_core.simulation.annotate import NEUTRAL_SPEC, label_shares
from capo_core.simulation.grammar import Draws
from capo_core.simulation.simulate import TASKS
from capo_core.task import Task, label_value
from capo_core.text.tokens import input_spans, words

KINDS = ("zero_shot", "in_context", "with_profile")
EXAMPLES = 6
TEMPERATURES = (0.0, 0.7, 1.0)


def measure_folder(folder: Path, n: int, progress: Progress = silent) -> dict:
    """Apply `measure` to the base model in a folder, on its held-out annotators.

    Raises:
        DataError: there is no base of this project in the folder.
    """
    settings = read_about(folder)["config"]
    config = EmbeddedBaseConfig(
        **{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
    )
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return measure(model, tokenizer, TaskSamples(SimulatedPopulation(config)), n, progress)


def measure(
    model, tokenizer, samples: TaskSamples, n: int = 100, progress: Progress = silent
) -> dict:
    """Measure `n` generated answers for each task, format and temperature.

    Returns:
        rows: format, task, temperature, n, and
            parsed: share of answers in the fixed form, 0 to 1;
            agreement: share of all answers with the annotator's label;
            ceiling: the same for the majority label;
            error: mean distance to the annotator's label in points, None for nominal scales;
            words: mean length of the explanations; from_item: share of their words that occur in
            the item; human_words, human_from_item: the same of the annotators' own.
    """
    rows = []
    cells = [(k, t, heat) for k in KINDS for t in TASKS for heat in TEMPERATURES]
    for done, (kind, task, temperature) in enumerate(cells):
        progress(f"Writing answers: {kind}, {task}", done / len(cells))
        drawn = _draw(samples, kind, task, n)
        texts = write_answers(model, tokenizer, drawn, temperature)
        rows.append(
            {"format": kind, "task": task, "temperature": temperature, "n": n}
            | _figures(TASKS[task][0], drawn, texts)
            | {"ceiling": _ceiling(samples, task)}
        )
    return {"rows": rows}


def _draw(samples: TaskSamples, kind: str, task: str, n: int) -> list[TaskSample]:
    draws = Draws([STREAM, samples.world.config.seed, HELD_OUT, len(kind), len(task), 1])
    first = samples.world.config.annotators
    return [
        samples.draw(kind, task, first + draws.index(1000), draws, examples=EXAMPLES)
        for _ in range(n)
    ]


@torch.no_grad()
def write_answers(
    model, tokenizer, samples: Sequence[TaskSample], temperature: float, at_once: int = 25
) -> list[str]:
    """Generate the answer to each sample's prompt; temperature 0 takes the likeliest token."""
    texts = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for start in range(0, len(samples), at_once):
            ids = [prompt_ids(s.prompt, tokenizer) for s in samples[start : start + at_once]]
            width = max(map(len, ids))
            pad = tokenizer.pad_token_id
            read = torch.tensor([[pad] * (width - len(row)) + list(row) for row in ids])
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
            how = {"do_sample": True, "temperature": temperature, "top_k": 0}
            written = model.generate(
                input_ids=read,
                attention_mask=mask,
                max_new_tokens=160,
                **(how if temperature else {"do_sample": False}),
            )
            texts += tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
    return texts


def _figures(task: Task, samples: Sequence[TaskSample], texts: Sequence[str]) -> dict:
    pairs = [
        (sample, parse_response(text, task), parse_response(sample.response, task))
        for sample, text in zip(samples, texts, strict=True)
    ]
    read = [(sample, own, true) for sample, own, true in pairs if not own.problem]
    error = None
    if task.scale.ordinal and read:
        error = float(
            np.mean(
                [abs(label_value(own.label) - label_value(true.label)) for _, own, true in read]
            )
        )
    return {
        "parsed": len(read) / len(pairs),
        "agreement": sum(own.label == true.label for _, own, true in read) / len(pairs),
        "error": error,
        "words": _mean(len(words(own.explanation)) for _, own, _ in read),
        "from_item": _mean(_from_item(sample, own) for sample, own, _ in read),
        "human_words": _mean(len(words(true.explanation)) for *_, true in pairs),
        "human_from_item": _mean(_from_item(sample, true) for sample, _, true in pairs),
    }


def _from_item(sample: TaskSample, said: ParsedResponse) -> float:
    """Return the share of the explanation's words that occur in the item."""
    item = sample.asked.example.item
    shared = input_spans(said.explanation, item.text_a, item.text_b)
    return len(shared) / max(len(words(said.explanation)), 1)


def _mean(values) -> float:
    found = list(values)
    return float(np.mean(found)) if found else 0.0


def _ceiling(samples: TaskSamples, task: str, n: int = 2000) -> float:
    """Return how often an annotator gives the label that most people would give the item."""
    world = samples.world
    draws = Draws([STREAM, world.config.seed, HELD_OUT, len(task), 2])
    hits = []
    for _ in range(n):
        writer = world.writer(world.config.annotators + draws.index(1000))
        item = draw_item(task, draws)
        common = int(np.argmax(label_shares(task, item, NEUTRAL_SPEC, 0.0)))
        hits.append(label_shares(task, item, writer.spec, writer.label_bias)[common])
    return float(np.mean(hits))
