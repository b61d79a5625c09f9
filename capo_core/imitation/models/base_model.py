"""Base models: any causal language model of a folder or of the hub, and the embedded one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from capo_core.errors import ConfigError
from capo_core.imitation.models.base_files import base_model_fingerprint, find_base_model
from capo_core.imitation.models.errors import more_memory, out_of_memory


@dataclass(frozen=True)
class LoadedBaseModel:
    """A base model ready for use, in evaluation mode and with no parameter trainable.

    Attributes:
        name: as requested: "embedded", a folder, or a name on the hub.
        fingerprint: SHA-256 (hex) of its files, see `base_files.base_model_fingerprint`.
        folder: folder of its files on this machine.
    """

    model: PreTrainedModel
    tokenizer: Any
    name: str
    fingerprint: str
    folder: Path

    @property
    def pad_id(self) -> int:
        """The padding token for rows of unequal length; it is always masked."""
        pad = self.tokenizer.pad_token_id
        known = pad is not None and pad < self.model.get_input_embeddings().num_embeddings
        return int(pad if known else self.tokenizer.eos_token_id)

    @property
    def parameters(self) -> int:
        """Number of parameters of the base model, without adapters."""
        named = self.model.named_parameters()
        return sum(each.numel() for name, each in named if not _of_adapter(name))

    @property
    def longest(self) -> int | None:
        """Tokens the model can read at once; None where its configuration does not say."""
        config = self.model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None)


def _of_adapter(parameter: str) -> bool:
    """Return whether a parameter of this name belongs to an adapter (see `adapter_kinds`)."""
    return ".lora_" in f".{parameter}" or ".oft_" in f".{parameter}"


def load_base_model(
    name: str, *, precision: str = "auto", quantise: bool = False, device: str = "auto"
) -> LoadedBaseModel:
    """Load the base model `name`: "embedded", a folder, or a name on the hub.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 on a GPU that computes with it and on a CPU
            where it is faster for this model, else fp32.
        quantise: in 4 bits (NF4), computing in bf16.
        device: "cpu", "cuda", "cuda:1", …, or "auto": a GPU where there is one.

    Raises:
        ConfigError: there is no such model, it cannot be used, or 4 bits are not to be had.
        BackendUnavailable: the hub cannot be reached.
    """
    folder = find_base_model(name)
    place = torch.device(_device(device))
    if quantise:
        _check_quantise(place)
    tokenizer = _tokenizer(folder)
    model = _weights(folder, number_type(precision, place, folder), quantise, place)
    _check_tokens(tokenizer, model, folder)
    model.requires_grad_(False)
    return LoadedBaseModel(model.eval(), tokenizer, name, base_model_fingerprint(folder), folder)


def default_device() -> torch.device:
    """Return the device that models are loaded on where none is named."""
    return torch.device(_device("auto"))


def number_type(precision: str, device: torch.device, folder: Path) -> torch.dtype:
    """Return the number type of the base model in `folder` for a precision on `device`."""
    if precision == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = half_precision_pays(*_widths(folder))
        return torch.bfloat16 if fast else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def precision_of(dtype: torch.dtype | str) -> str:
    """Return "bf16" or "fp32", by which this number type is asked for; "" for another."""
    return PRECISIONS.get(str(dtype).removeprefix("torch."), "")


# A precision by the name of its number type in the files of runs.
PRECISIONS = {"bfloat16": "bf16", "float32": "fp32"}

# Products of narrower layers take no less time in bfloat16, and lose digits.
NARROW = 512
# How much faster products in bfloat16 must be than in float32, for all that is around them.
LEAST_GAIN = 1.2


@lru_cache
def half_precision_pays(width: int, inner: int) -> bool:
    """Return whether this CPU multiplies layers of this size faster in bfloat16, as measured.

    Only a CPU with instructions for it is measured: without, bfloat16 was 2 times slower.
    """
    capable = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if not capable or width < NARROW:
        return False
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x, weight = torch.randn(512, width).to(dtype), torch.randn(inner, width).to(dtype)
        took = []
        for _ in range(6):  # the fastest: others may use the machine at the same time
            began = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            took.append(time.perf_counter() - began)
        seconds[dtype] = min(took)
    return seconds[torch.float32] > LEAST_GAIN * seconds[torch.bfloat16]


def _widths(folder: Path) -> tuple[int, int]:
    """Return the width of the model's layers and of their inner part; 0, 0 if unknown."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    config = config.get_text_config()
    width = getattr(config, "hidden_size", None) or 0
    return width, getattr(config, "intermediate_size", None) or 4 * width


def _device(wish: str) -> str:
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"the device {wish!r} was requested, and no GPU was found", todo="use the device 'cpu'"
        )
    return wish


def _check_quantise(device: torch.device) -> None:
    from importlib.util import find_spec

    missing = "a GPU with CUDA" if device.type != "cuda" else ""
    if not missing and find_spec("bitsandbytes") is None:
        missing = "the package bitsandbytes"
    if missing:
        raise ConfigError(
            f"a base in 4 bits needs {missing}, which is not here",
            where="setting quantise",
            todo="switch it off, or install what is missing",
        )


def _tokenizer(folder: Path) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever a damaged file raises: there are many kinds
        raise ConfigError(
            f"the tokenizer cannot be read ({_first_line(error)})", where=str(folder)
        ) from error
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            "the tokenizer has no end-of-text token",
            where=str(folder),
            todo="choose a model whose tokenizer defines eos_token",
        )
    return tokenizer


def _weights(folder: Path, dtype: torch.dtype, quantise: bool, device: torch.device):
    options: dict[str, Any] = {"dtype": dtype}
    if quantise:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options["device_map"] = {"": device}
    try:
        with quiet_transformers():
            model, found = AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # damaged weights raise a kind of their own for every damage
        if out_of_memory(error):
            raise _too_large(folder, device) from error
        raise ConfigError(
            f"the model cannot be read ({_first_line(error)})", where=str(folder)
        ) from error
    # What is missing would be drawn at random, and never noticed.
    lost = sorted([*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])])
    if lost:
        raise ConfigError(
            f"the files lack {len(lost)} of the model's weights, for instance {lost[0]}",
            where=str(folder),
            todo="the download may be incomplete, or config.json be another model's",
        )
    if quantise:
        return model
    try:
        return model.to(device)
    except RuntimeError as error:
        if out_of_memory(error):
            raise _too_large(folder, device) from error
        raise


def _too_large(folder: Path, device: torch.device) -> ConfigError:
    return ConfigError(
        "there is not enough memory for this base model",
        where=str(folder),
        todo=more_memory(gpu=device.type == "cuda"),
    )


def _check_tokens(tokenizer: Any, model: PreTrainedModel, folder: Path) -> None:
    """Raise `ConfigError` if the tokenizer has tokens outside the model's vocabulary."""
    places = model.get_input_embeddings().num_embeddings
    vocabulary = tokenizer.get_vocab()
    # A padding token is often added later; `LoadedBaseModel.pad_id` goes without.
    vocabulary.pop(tokenizer.pad_token, None)
    beyond = [token for token, number in vocabulary.items() if number >= places]
    if tokenizer.eos_token_id >= places:
        beyond.append(tokenizer.eos_token)
    if beyond:
        raise ConfigError(
            f"the tokenizer has tokens that the model does not know, for instance {beyond[0]!r}",
            where=str(folder),
            expected=f"numbers of tokens below {places:,}",
            todo="the tokenizer may be another model's; take the one that belongs to it",
        )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars and warnings of transformers; relevant checks are made here."""
    level, bars = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
