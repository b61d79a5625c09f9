"""Adapters: creation, loading, compatibility with their base model, saving, model card.

An adapter's folder is PEFT's (adapter_config.json, adapter_model.safetensors, the tokenizer with
its chat template), so that any tool that reads PEFT can serve it, also alone:
`AutoPeftModelForCausalLM.from_pretrained(folder)`. Beside it `capo.json` names the base model by
its fingerprint, and README.md is the model card.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model, prepare_model_for_kbit_training
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor

from capo_core.errors import ConfigError
from capo_core.export_formats import markdown_section
from capo_core.imitation.models.adapter_kinds import ADAPTERS
from capo_core.imitation.models.base_files import HUB, base_kind, base_title
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.models.fast_layers import speed_up
from capo_core.imitation.models.tensor_file import write_tensors
from capo_core.imitation.prompting.prompts import PromptItem, prompt_text, zero_shot
from capo_core.imitation.training.config import AdapterSettings, TrainConfig
from capo_core.provenance import Provenance
from capo_core.run_folder import disk_errors
from capo_core.task import Task
from capo_core.workspace import atomic_file, read_object, write_json

NAME = "default"  # PEFT's own name, which every tool looks for
WEIGHTS, SETTINGS, ORIGIN = "adapter_model.safetensors", "adapter_config.json", "capo.json"


def new_adapter(base: LoadedBaseModel, settings: AdapterSettings, seed: int) -> PeftModel:
    """Return the base with a new trainable adapter, which has no effect at first.

    Raises:
        ConfigError: the base has no layers of these names.
    """
    config = ADAPTERS[settings.kind].config(base.model, settings)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        try:
            return get_peft_model(base.model, config, adapter_name=NAME)
        except ValueError as error:
            raise ConfigError(
                f"no adapter can be put on this base ({str(error).splitlines()[0][:200]})",
                where=base.name,
                expected='layer names of the model as target_modules, or "all-linear"',
            ) from error


def load_adapter(base: LoadedBaseModel, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Return the base with the adapter of `folder`.

    Raises:
        ConfigError: there is no adapter, it is damaged, or it belongs to another base.
    """
    check_adapter(base, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PeftModel.from_pretrained(
                base.model, str(folder), adapter_name=NAME, is_trainable=trainable
            )
    except (RuntimeError, ValueError) as error:  # shapes, or layers that the base does not have
        raise _other_base(base, folder) from error
    with safe_open(folder / WEIGHTS, "pt") as file:
        if set(file.keys()) != set(adapter_weights(model)):
            raise _other_base(base, folder)
    return model


def check_adapter(base: LoadedBaseModel, folder: Path) -> None:
    """Check, before loading, that `folder` contains an adapter trained on `base`.

    An adapter from another tool, without `capo.json`, passes this check.

    Raises:
        ConfigError: there is none, it is damaged, or it belongs to another base.
    """
    _check_files(folder)
    if "peft_type" not in _settings(folder):  # without it PEFT ends in a KeyError
        raise _damaged(folder / SETTINGS)
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise _damaged(folder / WEIGHTS) from error
    origin = read_object(folder / ORIGIN) if (folder / ORIGIN).exists() else {}
    if origin is None:
        raise _damaged(folder / ORIGIN)
    if origin.get("base_fingerprint", base.fingerprint) != base.fingerprint:
        raise _other_base(base, folder, str(origin.get("base", "")))


def adapter_weights(model: PeftModel) -> dict[str, Tensor]:
    """Return the adapter's tensors under PEFT's names for saving, without copying them."""
    return get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)


def put_weights(model: PeftModel, weights: dict[str, Tensor]) -> None:
    """Copy `weights` (as from `adapter_weights`) into the adapter."""
    with torch.no_grad():
        for name, tensor in adapter_weights(model).items():
            tensor.copy_(weights[name])


def needs_own_rows(inner) -> bool:
    """Return whether a model in training has checkpointed activations or any dropout."""
    return any(
        getattr(module, "gradient_checkpointing", False)
        or (isinstance(module, torch.nn.Dropout) and module.p > 0)
        for module in inner.modules()
    )


def adapter_fingerprint(folder: Path) -> str:
    """Return the SHA-256 (hex) of the adapter's weights and scaling settings.

    Raises:
        ConfigError: there is no adapter, or its settings are damaged.
    """
    _check_files(folder)
    settings = _settings(folder)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes())
    digest.update(json.dumps([settings.get("r"), settings.get("lora_alpha")]).encode())
    return digest.hexdigest()


def save_adapter(
    folder: Path,
    model: PeftModel,
    weights: dict[str, Tensor],
    base: LoadedBaseModel,
    origin: dict[str, Any],
    card: str,
    *,
    ranks: int = 1,
) -> None:
    """Write the adapter with `weights` to `folder` atomically, replacing its content.

    Args:
        model: the model it was trained in, whose settings of PEFT it has.
        origin: further content of `capo.json`: run, dataset, target.
        card: text of README.md.
        ranks: how many times the rank of `model` the weights have, at the same scale; 1 unless the
            adapter is LoRA.
    """
    trained = model.peft_config[NAME]
    scaled = (
        {} if ranks == 1 else {"r": ranks * trained.r, "lora_alpha": ranks * trained.lora_alpha}
    )
    settings = {
        **trained.to_dict(),
        **scaled,
        # AutoPeftModelForCausalLM loads the base from here: by its name on the hub, else by its
        # path on this machine, which stands in no other file.
        "base_model_name_or_path": base.name if base_kind(base.name) == HUB else str(base.folder),
        "inference_mode": True,
    }
    fresh = folder.with_name(f".{folder.name}.new")
    with disk_errors(folder):
        shutil.rmtree(fresh, ignore_errors=True)
        write_json(fresh / SETTINGS, _plain(settings))
        write_json(
            fresh / ORIGIN,
            {"base": base_title(base.name), "base_fingerprint": base.fingerprint, **origin},
        )
        with atomic_file(fresh / WEIGHTS) as file:
            write_tensors(file, weights)
        # With its chat template: by it, other tools write prompts as they were in training.
        base.tokenizer.save_pretrained(fresh)
        with atomic_file(fresh / "README.md", "w") as file:
            file.write(card)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)


def ready_to_train(model: PeftModel, config: TrainConfig) -> None:
    """Apply the settings to the model: gradient checkpointing, 4-bit preparation.

    The base's own dropout is switched off: the only dropout in training is the adapter's.
    """
    options = {"use_reentrant": False}
    _no_dropout(model, but=(".lora_dropout.",))
    if config.quantise:
        prepare_model_for_kbit_training(
            model,
            use_gradient_checkpointing=config.gradient_checkpointing,
            gradient_checkpointing_kwargs=options,
        )
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(f".{NAME}." in name)
    elif config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
        # The base's embeddings are frozen: without this no gradient enters the first layer.
        model.enable_input_require_grads()
    speed_up(model, NAME)


def without_dropout(model: PeftModel) -> None:
    """Switch off all dropout, the adapter's too.

    In CAPO, policy and reference must not differ at random.
    """
    _no_dropout(model, but=())


def _no_dropout(model: PeftModel, but: tuple[str, ...]) -> None:
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout):
            if not any(part in f".{name}." for part in but):
                module.p = 0.0
            continue
        for attribute in ("attention_dropout", "attn_dropout", "dropout", "hidden_dropout"):
            # Attention calls a function with this number instead of having a layer for it.
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, 0.0)


def _check_files(folder: Path) -> None:
    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise ConfigError(
                f"there is no adapter here: {name} is missing",
                where=str(folder),
                expected="a folder that training wrote, or PEFT in the format safetensors",
                todo="train again",
            )


def _settings(folder: Path) -> dict[str, Any]:
    """Return PEFT's settings; `ConfigError` where they are damaged."""
    settings = read_object(folder / SETTINGS)
    if settings is None:
        raise _damaged(folder / SETTINGS)
    return settings


def _damaged(path: Path) -> ConfigError:
    return ConfigError(
        "a file of the adapter is damaged",
        where=str(path),
        todo="put a copy of the adapter's folder in its place, or delete the run and train again",
    )


def _other_base(base: LoadedBaseModel, folder: Path, name: str = "") -> ConfigError:
    return ConfigError(
        "the adapter belongs to another base model" + (f" ({name})" if name else ""),
        where=str(folder),
        expected=f"an adapter of the base {base.name!r}",
        todo="name the base it was trained on, or train again on this one",
    )


def _plain(value: Any) -> Any:
    """Return PEFT's settings as JSON: sets sorted, enumerations by their value."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return getattr(value, "value", value)


def sample_prompt(task: Task, tokenizer: Any, *, shared: bool) -> str:
    """Return the text of a prompt of SFT and CAPO, with placeholders for the item's texts."""
    item = PromptItem("", "{first text}", "{second text}" if task.role_b else "")
    prompt = zero_shot(task, item, annotator="{annotator}" if shared else "")
    return prompt_text(prompt, tokenizer)


def adapter_card(
    asked: dict[str, Any],
    result: dict[str, Any],
    provenance: Provenance,
    prompt: str = "",
    kind: str = "lora",
    dtype: str = "float32",
) -> str:
    """Return the README.md of an adapter, from its run's configuration and outcome.

    Args:
        provenance: of its training data.
        prompt: as by `sample_prompt`; "" leaves the section on its use out.
        kind: of the adapter, one of `adapter_kinds.ADAPTERS`.
        dtype: number type of the base model in training, torch's name.
    """
    dataset, base, settings = asked["dataset"], asked["base"], asked["settings"]
    about = ADAPTERS[kind]
    whom = "all annotators, each named in the prompt" if settings["shared"] else asked["target"]
    stage = {"sft": "SFT", "capo": "CAPO"}[asked["stage"]]
    title = f"{stage} adapter: {whom}, {dataset['name']}"
    shown = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    lines = [
        "---",
        "library_name: peft",
        f"tags: [capo-lab, {asked['stage']}, {kind}"
        + (", simulated-data]" if provenance.simulated else "]"),
        "---",
        "",
        f"# {provenance.titled(title)}",
        "",
        f"{about.article} {about.title} adapter that answers as the annotator would: {whom}.",
        *([provenance.caution] if provenance.caution else []),
        "",
        "| | |",
        "|---|---|",
        *_rows(
            {
                "run": result["run_id"],
                "base model": f"{base_title(base['name'])} ({base['fingerprint'][:12]})",
                **{name: version(name) for name in ("peft", "transformers")},
                "dataset": dataset["name"],
                "dataset fingerprint": dataset["fingerprint"],
                "split": dataset["split"][:12],
                **({"SFT run": asked["sft"]["run"]} if "sft" in asked else {}),
                "training items": result["training_items"],
                "validation items": result["validation_items"],
                "steps": f"{result['steps']} of {result['planned_steps']}",
                "kept state": f"after step {result['kept_step']}",
                "validation loss": _number(result["validation_loss"]),
                **_strength(result.get("calibration", {})),
                **{
                    name.replace("_", " "): _number(value)
                    for name, value in result["figures"].items()
                },
                "engine": result["engine"],
                "time": f"{result['seconds']:.0f} s",
            }
        ),
        "",
        "Figures are of the validation part of the data; the test part was not looked at.",
        "",
        *(_use(prompt, dtype) if prompt else ()),
        *markdown_section(provenance),
        "## Left out",
        "",
        *(f"- {reason}: {count}" for reason, count in result["skipped"].items()),
        f"- responses cut to {settings['max_tokens']} tokens: {result['cut']} "
        f"of {result['responses']}",
        "",
        "## Settings",
        "",
        *(f"- {name}: {value}" for name, value in shown.items()),
        *(
            f"- {group} {name}: {value}"
            for group, values in settings.items()
            if isinstance(values, dict)
            for name, value in values.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _use(prompt: str, dtype: str) -> list[str]:
    return [
        "## Use",
        "",
        "~~~python",
        "import torch",
        "from peft import AutoPeftModelForCausalLM",
        "",
        f"model = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.{dtype})",
        "~~~",
        "",
        "loads the adapter with its base model, by the name or path in `adapter_config.json`, in "
        "the number type it was trained in: without `dtype` the base model is loaded in the type "
        "of its files, and answers may differ. The tokenizer and its chat "
        "template are in this folder. The prompt is written like this, and the answer has two "
        "lines (`Label:`, `Explanation:`) and the end token:",
        "",
        "~~~text",
        prompt,
        "~~~",
        "",
    ]


def _strength(calibration: dict[str, Any]) -> dict[str, str]:
    """Return the card's row on a calibrated strength; none for an adapter as it was trained."""
    if not calibration:
        return {}
    n = calibration.get("n")
    where = f"{n} validation items" if n else "validation items"
    strength = f"{calibration['strength']:g} of the way from SFT (0) to CAPO (1)"
    return {"strength": f"{strength}, chosen on {where}"}


def _rows(values: dict[str, Any]) -> list[str]:
    return [f"| {name} | {str(value).replace('|', '/')} |" for name, value in values.items()]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
