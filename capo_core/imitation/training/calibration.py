"""Calibrated CAPO: how far to go from the SFT adapter to the CAPO adapter.

    ΔW(λ) = (1 − λ) ΔW_sft + λ ΔW_capo,    λ of STRENGTHS

Preference training does not know when the imitation is typical enough: its loss only falls. The
path between both adapters is exact (see `models.adapter_strength`) and costs answers, no training.
Which λ is best is decided by a yardstick from above that compares the answers with the target's own
texts on validation items. The adapter at the chosen λ is one of PEFT's: of LoRA one of twice the
rank; of OFT one of the same size, with Q(λ) = (1 − λ) Q_sft + λ Q_capo in place of ΔW.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor

from capo_core.dataset import Dataset
from capo_core.imitation.backends.base import GenerationRequest
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.requests import (
    GenerateConfig,
    PromptBuilder,
    decoding_of,
    measured_prior,
    seed_of,
)
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.prompting.responses import items_of
from capo_core.imitation.training.samples import SampledAnswer
from capo_core.imitation.training.stage import Stage, TrainResult, save_stage
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import read_object, write_json

# Closer together near the SFT adapter, where real annotators' own level was found.
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
FULL = "adapter-full"  # folder of the CAPO adapter itself, in a run with a calibrated one
BATCH_TOKENS = 16384  # of answers computed at once
_RELIEF = "close other programs and resume (what is trained is kept), or train without calibrate"
ANSWERS = "calibration"  # folder of the answers at each strength


class Choice(Protocol):
    """Result of a yardstick (`evaluation.calibration.CalibratedStrength`)."""

    strength: float

    def to_dict(self) -> dict[str, Any]: ...


class Yardstick(Protocol):
    """Judge of answers at several strengths (`evaluation.calibration.HumanYardstick`)."""

    item_ids: tuple[str, ...]

    def choose(self, answers: dict[float, Sequence[SampledAnswer]]) -> Choice: ...

    def is_enough(self, answers: dict[float, Sequence[SampledAnswer]]) -> bool:
        """Return whether strengths larger than those answered need not be."""


def between(sft: dict[str, Tensor], capo: dict[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return the weights of the adapter at `strength` between two, LoRA's of twice their rank.

    With A = [A_sft; A_capo] and B = [(1 − λ) B_sft, λ B_capo] the product B A is the sum of both,
    under the same scale alpha / rank. What is no part of LoRA (OFT's Q) is the weighted sum itself,
    of the same size.

    Args:
        sft, capo: weights under PEFT's names, of the same rank and scale.
    """
    found = {}
    for name, first in sft.items():
        second = capo[name]
        if "lora_A" in name:
            found[name] = torch.cat([first, second.to(first)], 0)
        elif "lora_B" in name:
            found[name] = torch.cat([(1 - strength) * first, strength * second.to(first)], 1)
        else:
            found[name] = (1 - strength) * first + strength * second.to(first)
    return found


def answers_by_strength(
    dataset: Dataset,
    target: str,
    yardstick: Yardstick,
    base: LoadedBaseModel,
    adapters: Mapping[str, Path],
    folder: RunFolder,
    progress: Progress,
    *,
    seed: int,
    label_prior: str = "none",
) -> dict[float, list[SampledAnswer]]:
    """Return the answers to validation items at STRENGTHS, as a generation gives them.

    The strengths ascend, and end where the yardstick says that larger ones cannot be nearer.

    Args:
        yardstick: whose items are answered.
        base: without an adapter.
        adapters: "sft" and "capo", the ends of the way.
        folder: of the run, which keeps the answers of each strength: those of an interrupted run
            are reused.
        label_prior: as of that generation (`GenerateConfig`); none where the model writes labels.

    Raises:
        Stopped: from `progress`; the answers at the strengths so far are kept.
    """
    blend = Blend(base, adapters)
    backend = TransformersBackend(base, batch_tokens=BATCH_TOKENS, relief=_RELIEF)
    config = GenerateConfig("capo", split="validation", seed=seed)
    builder = PromptBuilder(dataset, config, backend, {}, lambda *_: ())
    items = {item.item_id: item for item in items_of(dataset, "validation")}
    prompts = {each: builder.build(target, items[each])[0] for each in yardstick.item_ids}
    corrected = label_prior != "none" and builder.label_choice(target) is not None
    given = {"adapters": {target: ""}, "profiles": {}, "choose": lambda *_: ()}
    found: dict[float, list[SampledAnswer]] = {}
    for number, strength in enumerate(STRENGTHS):
        path = folder.path / ANSWERS / f"{strength:g}.json"
        texts = read_object(path) or {}  # a damaged file is answered again
        if set(texts) != set(yardstick.item_ids):
            part = part_of(progress, number / len(STRENGTHS), (number + 1) / len(STRENGTHS))
            part(f"answers at strength {strength:g}", 0.0)
            blend.set({"sft": 1 - strength, "capo": strength})
            # A new one: it keeps keys and values of the prompts' common beginning.
            backend = TransformersBackend(base, batch_tokens=BATCH_TOKENS, relief=_RELIEF)
            # The adapter is in the base model's own layers: no folder is named.
            prior = measured_prior(dataset, target, config, backend, **given) if corrected else None
            requests = [
                GenerationRequest(
                    key=item_id,
                    prompt=prompt,
                    seed=seed_of(seed, target, item_id, "0"),
                    label=builder.label_choice(target, prior),
                )
                for item_id, prompt in prompts.items()
            ]
            replies = backend.complete(requests, decoding_of(dataset, config), progress=part)
            texts = {request.key: reply.text for request, reply in replies}
            _give_memory_back()
            with disk_errors(folder.path):
                write_json(path, texts)
        found[strength] = [SampledAnswer(i, target, texts[i]) for i in yardstick.item_ids]
        if yardstick.is_enough(found):
            break
    return found


@dataclass(frozen=True)
class StrengthCalibrator:
    """Calibrator of a CAPO run (see `stage.Calibrator`).

    Attributes:
        sft: folder of the SFT adapter.
        folder: of the CAPO run.
        yardstick: judge of the answers.
    """

    dataset: Dataset
    sft: Path
    folder: RunFolder
    yardstick: Yardstick
    progress: Progress

    def __call__(
        self, stage: Stage, weights: dict[str, Tensor], result: TrainResult
    ) -> TrainResult:
        """Write the adapter at the chosen strength to the run, and the trained one beside it."""
        full = self.folder.path / FULL
        save_stage(stage, full, weights, result)
        stage.model.unload()  # takes the adapter off: `base.model` is the base model again
        _give_memory_back()
        settings = stage.run_config["settings"]
        answers = answers_by_strength(
            self.dataset,
            result.target,
            self.yardstick,
            stage.base,
            {"sft": self.sft, "capo": full},
            self.folder,
            self.progress,
            seed=settings["seed"],
            label_prior=settings.get("calibrate_label_prior", "none"),
        )
        choice = self.yardstick.choose(answers)
        result = replace(result, calibration=choice.to_dict())
        first = load_file(self.sft / WEIGHTS)
        mixed = between(first, weights, choice.strength)
        ranks = 2 if any("lora_A" in name for name in mixed) else 1
        save_stage(stage, self.folder.adapter, mixed, result, ranks=ranks)
        return result


def _give_memory_back() -> None:
    """Return to the system what training, or the answers at a strength, have freed, where the C
    library can (glibc).

    It would stay with the process, and the memory of the answers to come be taken beside it: the
    threads that compute them are new ones, with heaps of their own.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
