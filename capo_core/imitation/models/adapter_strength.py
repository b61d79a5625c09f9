"""A base model with one or several adapters, each at an adjustable strength, exactly.

    W = W_base + Σ_a s_a ΔW_a        s_a: the strength of adapter a;  ΔW_a = alpha / rank · B_a A_a

So between two adapters, ΔW(λ) = (1 − λ) ΔW_1 + λ ΔW_2, by multiplying each adapter's own scale in
every layer while both act. (PEFT's `add_weighted_adapter` with combination_type="linear" adds the
factors A and B instead, which differs: at λ = 0.5 it is off by as much as ΔW itself.)

An OFT adapter rotates, W = W_base R(Q), and its strength is that of Q: R(Σ_a s_a Q_a), a rotation
at every strength, the adapter itself at 1 and the base at 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.lora.layer import LoraLayer
from peft.tuners.oft.layer import OFTLayer
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors import safe_open

from capo_core.errors import ConfigError
from capo_core.imitation.models.adapter_kinds import ADAPTERS, kind_of
from capo_core.imitation.models.adapters import WEIGHTS, check_adapter
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.models.fast_layers import speed_up_answers
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.scoring.base import scoring
from capo_core.imitation.training.scoring.engines import GroupEngine
from capo_core.progress import Progress, silent


class Blend:
    """A base model with adapters, all at strength 0 at first.

    The base's own model is modified: `base.model` computes with the adapters at their strengths
    from now on.

    Args:
        adapters: name → folder. Names are chosen by the caller and have no dot.

    Raises:
        ConfigError: a folder holds no adapter, one of another base or of another kind than the
            others, or one that does more than change layers' weights (biases, whole layers), so
            that no strength is defined.
    """

    def __init__(self, base: LoadedBaseModel, adapters: Mapping[str, Path]) -> None:
        self.base = base
        model: PeftModel | None = None
        for name, folder in adapters.items():
            check_adapter(base, folder)
            model = _load(base, model, name, folder)
        self._model = model
        kinds = set() if model is None else {kind_of(each) for each in model.peft_config.values()}
        self._ends_only = next((kind for kind in kinds if not ADAPTERS[kind].has_strength), "")
        modules = list(base.model.modules())
        # As they are trained: what strengths multiply.
        self._own = [
            (layer, dict(layer.scaling)) for layer in modules if isinstance(layer, LoraLayer)
        ]
        self._rotations = [
            (layer, {name: turn.weight.detach().clone() for name, turn in layer.oft_R.items()})
            for layer in modules
            if isinstance(layer, OFTLayer)
        ]
        self.set({})

    def set(self, strengths: Mapping[str, float]) -> None:
        """Set the adapters' strengths; adapters that are missing or at 0 are inactive.

        Raises:
            ConfigError: there is no such adapter, or it has no strength but 0 and 1 (DoRA).
        """
        strange = sorted(set(strengths) - set(self._model.peft_config if self._model else ()))
        if strange:
            raise ConfigError(f"there is no adapter {strange[0]!r} here")
        acting = [name for name, strength in strengths.items() if strength != 0]
        if self._ends_only and (len(acting) > 1 or any(strengths[name] != 1 for name in acting)):
            raise ConfigError(
                f"an adapter of the kind {self._ends_only} has no strength between 0 and 1",
                expected="one adapter at 1, or none",
            )
        for layer, own in self._own:
            layer.set_adapter(acting, inference_mode=True)
            for name in acting:
                if name in own:
                    layer.scaling[name] = own[name] * strengths[name]
        for layer, turns in self._rotations:
            here = [name for name in acting if name in turns]
            # One rotation acts, with the sum of all: two in a row would be another way.
            layer.set_adapter(here[:1], inference_mode=True)
            if here:
                with torch.no_grad():
                    total = sum(strengths[name] * turns[name] for name in here)
                    layer.oft_R[here[0]].weight.copy_(total)


def response_likelihoods(
    base: LoadedBaseModel,
    renders: Sequence[Rendered],
    *,
    batch_tokens: int = 16384,
    progress: Progress = silent,
) -> list[list[float]]:
    """Log-probability of each response given its prompt, in nats, summed over its tokens.

    Args:
        batch_tokens: rows × longest row computed at once, where one item does not need more.

    Raises:
        Stopped: from `progress`.
    """
    speed_up_answers(base.model)  # as answers are: all points of a path are computed alike
    engine, order = GroupEngine(), sorted(range(len(renders)), key=lambda i: _width(renders[i]))
    found: dict[int, list[float]] = {}
    with scoring(base.model):
        for part in _batches(renders, order, batch_tokens):
            progress("scoring responses", len(found) / len(renders))
            table = engine.score(base.model, [renders[i] for i in part], pad_id=base.pad_id)
            sizes = [len(renders[i].responses) for i in part]
            pieces = table.log_probs.float().cpu().split(sizes)
            found.update({i: piece.tolist() for i, piece in zip(part, pieces, strict=True)})
    return [found[i] for i in range(len(renders))]


def _width(item: Rendered) -> int:
    return len(item.prompt) + max(map(len, item.responses))


def _batches(renders: Sequence[Rendered], order: list[int], batch_tokens: int) -> list[list[int]]:
    """`order`, whose widths ascend, in parts of at most `batch_tokens`."""
    parts: list[list[int]] = []
    rows = 0
    for index in order:
        count = len(renders[index].responses)
        if parts and (rows + count) * _width(renders[index]) <= batch_tokens:
            parts[-1].append(index)
            rows += count
        else:
            parts.append([index])
            rows = count
    return parts


def _load(base: LoadedBaseModel, model: PeftModel | None, name: str, folder: Path) -> PeftModel:
    """Load one more adapter into the base."""
    kind = kind_of(PeftConfig.from_pretrained(str(folder)))
    others = set() if model is None else {kind_of(each) for each in model.peft_config.values()}
    if others - {kind}:
        raise ConfigError(
            "there is no way between adapters of different kinds",
            where=str(folder),
            expected=f"an adapter of the kind {min(others)}",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if model is None:
                model = PeftModel.from_pretrained(base.model, str(folder), adapter_name=name)
            else:
                model.load_adapter(str(folder), adapter_name=name)
    except (RuntimeError, ValueError) as error:  # shapes, or layers that the base does not have
        raise _misfit(base, folder) from error
    with safe_open(folder / WEIGHTS, "pt") as file:
        loaded = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
        if set(file.keys()) != set(loaded):
            raise _misfit(base, folder)
    settings: Any = model.peft_config[name]
    if kind_of(settings) not in ADAPTERS or settings.bias != "none" or settings.modules_to_save:
        raise ConfigError(
            "the adapter does more than add to the base's weights: it has no strength",
            where=str(folder),
            expected="LoRA, DoRA or OFT, without biases or layers that are saved whole",
        )
    return model


def _misfit(base: LoadedBaseModel, folder: Path) -> ConfigError:
    return ConfigError(
        "the adapter does not fit the base model",
        where=str(folder),
        expected=f"an adapter trained on the base {base.name!r}",
    )
