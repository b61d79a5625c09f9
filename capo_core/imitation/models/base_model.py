"""Base models: any causal language model of a folder or of the hub, and the embedded one.

A base model's files: where they are, whether they will do, and their fingerprint.

Everything that can be found wrong is found here, from the small files, before weights are read.

Where the embedded base lies; for those who only need to know the place.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from capo_core.errors import BackendUnavailable, CapoError, ConfigError
from capo_core.imitation.models.errors import out_of_memory

EMBEDDED_NAME = "embedded"
SAMPLED_ABOVE = 256 * 2**20  # bytes; a larger weight file is fingerprinted by samples
SAMPLES = 64
CHUNK = 2**20
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def find_base(name: str) -> Path:
    """The folder of the base model `name`: "embedded", a folder, or a name on the hub.

    A model of the hub is downloaded, unless it was before.

    Raises:
        ConfigError: there is no such model, or it cannot be used (see `check_base`).
        BackendUnavailable: it is not here, and the hub cannot be reached or does not give it.
    """
    if name == EMBEDDED_NAME:
        folder = EMBEDDED
        if not folder.is_dir():
            raise ConfigError(
                "the embedded base model is missing",
                where=str(folder),
                todo="build it: python -m capo_core base build",
            )
    elif name and Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
    elif name.count("/") <= 1 and not name.startswith((".", "/", "~")) and name:
        folder = _from_hub(name)
    else:
        raise ConfigError(
            f"there is no folder {name!r}",
            expected="'embedded', a model's folder, or its name on the hub (owner/name)",
        )
    check_base(folder)
    return folder


def check_base(folder: Path) -> None:
    """Look whether the folder holds a causal language model that can be used here.

    Raises:
        ConfigError: no configuration, no weights in safetensors, no tokenizer, code of its own, or
            another kind of model.
    """
    config = _config(folder)
    if not list(folder.glob("*.safetensors")):
        other = [path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth")]
        raise ConfigError(
            "the model's weights are missing, or not in the format safetensors",
            where=str(folder),
            expected="model.safetensors" + (f"; found {', '.join(sorted(other))}" if other else ""),
            todo="other formats can run code when they are read; convert the model (load it where "
            "you trust it, then save_pretrained), or choose one that comes as safetensors",
        )
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise ConfigError(
            "the model has no tokenizer", where=str(folder), expected=" or ".join(TOKENIZER_FILES)
        )
    _check_kind(config, folder)


def _check_kind(config: dict[str, Any], folder: Path) -> None:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED,
    )

    kind = config.get("model_type", "")
    if kind not in CONFIG_MAPPING:
        raise ConfigError(
            f"the installed transformers does not know models of the kind {kind!r}",
            where=str(folder / "config.json"),
            todo="choose a model that transformers knows; code that comes with a model is not run"
            if "auto_map" in config
            else "choose a model that transformers knows",
        )
    architectures = config.get("architectures") or []
    causal = set(_names(CAUSAL.get(kind, ())))
    if (
        not causal
        or config.get("is_encoder_decoder", False)
        or (architectures and not causal & set(architectures))
        # BERT's family reads in both directions unless it says that it is a decoder.
        or (kind in MASKED and not config.get("is_decoder", False))
    ):
        raise ConfigError(
            f"this is no causal language model ({', '.join(architectures) or kind})",
            where=str(folder),
            expected="a model that writes text from left to right, such as Llama, Qwen or GPT-2",
        )


def _names(found: str | tuple[str, ...]) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        adapter = (folder / "adapter_config.json").exists()
        raise ConfigError(
            "this is an adapter, not a base model" if adapter else "there is no model here",
            where=str(folder),
            expected="a folder with config.json, model.safetensors and a tokenizer",
        ) from None
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise ConfigError("config.json is damaged", where=str(path))
    return config


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    wanted = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja"]
    try:
        # "consolidated" and "original" hold the same weights once more, in their makers' form.
        return Path(
            snapshot_download(name, allow_patterns=wanted, ignore_patterns=["*/*", "consolidated*"])
        )
    except GatedRepoError:
        problem: CapoError = BackendUnavailable(
            f"the hub gives the model {name!r} only to those who accepted its terms",
            todo=f"accept them at https://huggingface.co/{name}, then set HF_TOKEN",
        )
    except LocalEntryNotFoundError:
        problem = _out_of_reach(name)
    except (RepositoryNotFoundError, HFValidationError, EntryNotFoundError):
        problem = ConfigError(
            f"there is no model {name!r}, neither as a folder nor on the hub",
            expected="'embedded', a model's folder, or its name on the hub (owner/name)",
        )
    except (OfflineModeIsEnabled, OSError):
        problem = _out_of_reach(name)
    raise problem


def _out_of_reach(name: str) -> CapoError:
    return BackendUnavailable(
        f"there is no folder {name!r}, and the hub cannot be reached to look for it there",
        todo="check the connection (HF_ENDPOINT, HF_HUB_OFFLINE), give the folder of a downloaded "
        "model, or use the base 'embedded'",
    )


def base_fingerprint(folder: Path) -> str:
    """SHA-256 (hex) of the model's configuration, tokenizer and weights.

    Of weight files above 256 MB the size and 64 pieces of 1 MB, evenly spread from the first to
    the last byte, enter: another training of the same model changes all weights.
    """
    digest = hashlib.sha256()
    names = {"config.json", "tokenizer_config.json", "chat_template.jinja", *TOKENIZER_FILES}
    paths = [path for path in folder.iterdir() if path.name in names]
    for path in sorted([*paths, *folder.glob("*.safetensors")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= SAMPLED_ABOVE:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                continue
            for index in range(SAMPLES):
                file.seek((size - CHUNK) * index // (SAMPLES - 1))
                digest.update(file.read(CHUNK))
    return digest.hexdigest()


EMBEDDED = Path(__file__).resolve().parents[3] / "data" / "base"


@dataclass(frozen=True)
class Base:
    """A base model ready for use, in evaluation mode and with no parameter trainable.

    Attributes:
        name: as asked for: "embedded", a folder, or a name on the hub.
        fingerprint: SHA-256 (hex) of its files, see `base_files.base_fingerprint`.
        folder: where its files lie on this machine.
    """

    model: PreTrainedModel
    tokenizer: Any
    name: str
    fingerprint: str
    folder: Path

    @property
    def pad_id(self) -> int:
        """The token that fills up rows of unequal length; it is never looked at."""
        pad = self.tokenizer.pad_token_id
        known = pad is not None and pad < self.model.get_input_embeddings().num_embeddings
        return int(pad if known else self.tokenizer.eos_token_id)

    @property
    def parameters(self) -> int:
        """How many numbers the base has; an adapter's are not counted."""
        named = self.model.named_parameters()
        return sum(each.numel() for name, each in named if ".lora_" not in f".{name}")

    @property
    def longest(self) -> int | None:
        """Tokens the model can read at once; None where its configuration does not say."""
        config = self.model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None)


def load_base(
    name: str, *, precision: str = "auto", quantise: bool = False, device: str = "auto"
) -> Base:
    """Load the base model `name`: "embedded", a folder, or a name on the hub.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 on a GPU that computes with it, else fp32.
        quantise: in 4 bits (NF4), computing in bf16.
        device: "cpu", "cuda", "cuda:1", …, or "auto": a GPU where there is one.

    Raises:
        ConfigError: there is no such model, it cannot be used, or 4 bits are not to be had.
        BackendUnavailable: the hub cannot be reached.
    """
    folder = find_base(name)
    place = torch.device(_device(device))
    if quantise:
        _check_quantise(place)
    tokenizer = _tokenizer(folder)
    model = _weights(folder, number_type(precision, place), quantise, place)
    _check_tokens(tokenizer, model, folder)
    model.requires_grad_(False)
    return Base(model.eval(), tokenizer, name, base_fingerprint(folder), folder)


def number_type(precision: str, device: torch.device) -> torch.dtype:
    """The type of the base's numbers for a precision asked for, on `device`."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def _device(wish: str) -> str:
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"the device {wish!r} was asked for, and no GPU was found", todo="use the device 'cpu'"
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
        with _quiet():
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
            raise _too_large(folder) from error
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
            raise _too_large(folder) from error
        raise


def _too_large(folder: Path) -> ConfigError:
    return ConfigError(
        "there is not enough memory for this base model",
        where=str(folder),
        todo="choose a smaller one, or load it in 4 bits (quantise)",
    )


def _check_tokens(tokenizer: Any, model: PreTrainedModel, folder: Path) -> None:
    """`ConfigError` where the tokenizer writes tokens that the model has no place for."""
    places = model.get_input_embeddings().num_embeddings
    vocabulary = tokenizer.get_vocab()
    # A padding token is often added later; `Base.pad_id` goes without.
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


class _quiet:
    """No bars and no warnings of transformers; what matters is checked and said by us."""

    def __enter__(self) -> None:
        self.level = transformers_logging.get_verbosity()
        self.bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        transformers_logging.set_verbosity(self.level)
        if self.bars:
            transformers_logging.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
