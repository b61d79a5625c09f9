"""Calibrated CAPO: how far to go from the SFT adapter to the CAPO adapter.

    ΔW(λ) = (1 − λ) ΔW_sft + λ ΔW_capo,    λ of STRENGTHS

Preference training does not know when the imitation is typical enough: its loss only falls. The
path between both adapters is exact (see `models.adapter_strength`) and costs answers, no training.
Which λ is best is decided by a yardstick from above that compares the answers with the target's own
texts on validation items. The adapter at the chosen λ is one of PEFT's, of twice the rank.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor

from capo_core.dataset import Dataset
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.training.examples import validation_prompts
from capo_core.imitation.training.samples import Prompts, SampledAnswer, Sampler
from capo_core.imitation.training.stage import Stage, TrainResult, save_stage
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import write_json

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPERATURE = 0.7  # of the answers, as a generation has it by default
FULL = "adapter-full"  # folder of the CAPO adapter itself, in a run with a calibrated one
ANSWERS = "calibration"  # folder of the answers at each strength


class Choice(Protocol):
    """What a yardstick returns (`evaluation.calibration.CalibratedStrength`)."""

    strength: float

    def to_dict(self) -> dict[str, Any]: ...


class Yardstick(Protocol):
    """Judge of answers at several strengths (`evaluation.calibration.HumanYardstick`)."""

    item_ids: tuple[str, ...]

    def choose(self, answers: dict[float, Sequence[SampledAnswer]]) -> Choice: ...


def between(sft: dict[str, Tensor], capo: dict[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return the weights of the adapter at `strength` between two, of twice their rank.

    With A = [A_sft; A_capo] and B = [(1 − λ) B_sft, λ B_capo] the product B A is the sum of both,
    under the same scale alpha / rank.

    Args:
        sft, capo: weights under PEFT's names, of the same rank and scale.
    """
    found = {}
    for name, first in sft.items():
        second = capo[name]
        if "lora_A" in name:
            found[name] = torch.cat([first, second.to(first)], 0)
        else:
            found[name] = torch.cat([(1 - strength) * first, strength * second.to(first)], 1)
    return found


def answers_by_strength(
    base: LoadedBaseModel,
    sft: Path,
    capo: Path,
    prompts: Prompts,
    folder: RunFolder,
    progress: Progress,
    *,
    seed: int,
) -> dict[float, list[SampledAnswer]]:
    """Return the answers to `prompts` at each of STRENGTHS; those of an interrupted run are reused.

    Args:
        base: without an adapter.
        folder: of the run, which keeps the answers of each strength.

    Raises:
        Stopped: from `progress`; the answers so far are kept.
    """
    blend = Blend(base, {"sft": sft, "capo": capo})
    sampler = Sampler(base.tokenizer, prompts, base.pad_id, base.longest)
    found = {}
    for number, strength in enumerate(STRENGTHS):
        path = folder.path / ANSWERS / f"{strength:g}.json"
        texts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        if len(texts) != len(prompts):
            part = part_of(progress, number / len(STRENGTHS), (number + 1) / len(STRENGTHS))
            part(f"answers at strength {strength:g}", 0.0)
            blend.set({"sft": 1 - strength, "capo": strength})
            torch.manual_seed(seed)
            answers = sampler.answers(base.model, temperature=TEMPERATURE, progress=part)
            texts = [answer.text for answer in answers]
            with disk_errors(folder.path):
                write_json(path, texts)
        found[strength] = [
            SampledAnswer(item, target, text)
            for (item, target, _), text in zip(prompts, texts, strict=True)
        ]
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
        prompts = validation_prompts(
            self.dataset, result.target, stage.limits, self.yardstick.item_ids
        )
        answers = answers_by_strength(
            stage.base,
            self.sft,
            full,
            prompts,
            self.folder,
            self.progress,
            seed=stage.run_config["settings"]["seed"],
        )
        choice = self.yardstick.choose(answers)
        result = replace(result, calibration=choice.to_dict())
        first = load_file(self.sft / WEIGHTS)
        mixed = between(first, weights, choice.strength)
        save_stage(stage, self.folder.adapter, mixed, result, ranks=2)
        return result
