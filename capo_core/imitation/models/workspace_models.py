"""The base models of a workspace: folders under `models/`, each with its origin and model card.

    models/NAME/
        config.json, model.safetensors, tokenizer.json, …   as transformers writes them
        capo_model.json   where it comes from (see `Origin`)
        README.md         its model card

A folder that somebody put there by hand, without `capo_model.json`, is a model too. A model is
written under a temporary name and renamed when it is complete. Nothing here needs torch.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.formatting import size
from capo_core.imitation.models.base_files import check_model_files, model_folder
from capo_core.imitation.models.registry import EMBEDDED_NAME, KNOWN_MODELS
from capo_core.run_folder import disk_errors
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace, atomic_file, make_folder, safe_name, write_json

ORIGIN = "capo_model.json"
CARD = "README.md"
SPARE_DISK = 200_000_000  # bytes that are left free: other processes write, too

SHIPPED, DOWNLOADED, IMPORTED, MERGED, FOLDER = (
    "shipped", "downloaded", "imported", "merged", "folder",
)  # fmt: skip
KINDS = (SHIPPED, DOWNLOADED, IMPORTED, MERGED, FOLDER)


@dataclass(frozen=True)
class Origin:
    """Origin of a model, as in its `capo_model.json`.

    Attributes:
        kind: "downloaded", "imported" or "merged".
        title: for people.
        source: package with version and checksum, file with checksum, or run and base model.
        licence: its identifier; "" where it is not known.
        parameters: their number.
        quantised: number format the weights had before; "" where they were not quantised.
        dtype: number format of the weights as they are stored.
        converted_with: versions of the packages that wrote it.
        notes: what was changed or added, as sentences.
        made: ISO time (UTC).
    """

    kind: str
    title: str
    source: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    parameters: int = 0
    quantised: str = ""
    dtype: str = ""
    converted_with: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    made: str = ""

    def write(self, folder: Path) -> None:
        """Write the file and the model card."""
        write_json(folder / ORIGIN, asdict(self))
        with atomic_file(folder / CARD, "w") as file:
            file.write(_card(self, chat_template=has_chat_template(folder)))

    @classmethod
    def read(cls, folder: Path) -> Origin | None:
        """Return the origin of the model in `folder`; None where none can be read."""
        try:
            raw = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
            known = {each.name for each in fields(cls)}
            values = {name: value for name, value in raw.items() if name in known}
            return cls(**{**values, "notes": tuple(values.get("notes", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class ModelEntry:
    """A base model in the list.

    Attributes:
        name: as `--base` takes it.
        kind: one of `KINDS`.
        folder: its files; None where it is yet to be downloaded.
        size: of its files in bytes; of the download where it is yet to be downloaded.
        chat_template: whether its tokenizer has one; None where it is not known.
        source: where it comes from, in one line.
        measured: what it was measured to do, as sentences.
        problem: why it cannot be used; "" if nothing is known to be wrong.
    """

    name: str
    title: str
    kind: str
    folder: Path | None
    size: int
    parameters: int
    licence: str
    chat_template: bool | None
    quantised: str
    source: str
    use: str = ""
    measured: tuple[str, ...] = ()
    problem: str = ""

    @property
    def there(self) -> bool:
        """Return whether it is on this machine."""
        return self.folder is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON."""
        raw = asdict(self)
        return {**raw, "folder": str(self.folder) if self.folder else None, "there": self.there}


def model_entries(workspace: Workspace) -> list[ModelEntry]:
    """Return all models: the embedded one, those of the workspace, those that can be downloaded."""
    found = [_shipped()]
    folders = sorted(workspace.models.iterdir()) if workspace.models.is_dir() else []
    found += [_entry(each) for each in folders if each.is_dir() and not each.name.startswith(".")]
    names = {each.name for each in found}
    found += [_offered(name) for name in KNOWN_MODELS if name not in names]
    return found


def remove_model(workspace: Workspace, name: str) -> int:
    """Delete a model of the workspace; return the freed bytes.

    Raises:
        ConfigError: there is none of this name, or it ships with the project.
    """
    if name == EMBEDDED_NAME:
        raise ConfigError("the embedded base model ships with the project and is not removed")
    folder = model_folder(workspace, name)
    if folder is None:
        raise ConfigError(
            f"there is no model {name!r} in this workspace",
            where=str(workspace.models),
            todo="see the list: python -m capo_core models list",
        )
    freed = _folder_size(folder)
    # Renamed first, so that nobody finds half a model.
    doomed = workspace.models / f".{name}.{uuid.uuid4().hex[:8]}.removed"
    with disk_errors(folder):
        folder.rename(doomed)
        shutil.rmtree(doomed)
    return freed


@contextmanager
def new_model(
    workspace: Workspace, name: str, *, needed: int = 0, replace: bool = False
) -> Iterator[Path]:
    """Yield an empty folder that becomes the model `name` when the block ends well.

    The caller holds `writing_model`, so that what an ended process left half is removed.

    Args:
        needed: bytes the model will take, checked before anything is written.
        replace: put it in the place of a model of that name.

    Raises:
        ConfigError: the name cannot be used or is taken.
        RunError: the disk has too little space, or is full.
    """
    check_new_name(workspace, name, replace=replace)
    check_space(workspace.models, needed)
    make_folder(workspace.models)
    for left in workspace.models.glob(f".{name}.*"):
        if re.fullmatch(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}(\.old|\.removed)?", left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder, fresh = workspace.models / name, workspace.models / f".{name}.{uuid.uuid4().hex[:8]}"
    try:
        with writing_errors(workspace.models):
            fresh.mkdir()
            yield fresh
            old = fresh.with_name(f"{fresh.name}.old")
            if folder.exists():
                folder.rename(old)
            fresh.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def writing_model(workspace: Workspace, name: str) -> Iterator[None]:
    """Let one process at a time write the model `name`; `DataError` for another one."""
    safe_name(name)
    with workspace.lock(f"model-{name}", timeout_s=1):
        yield


def check_new_name(workspace: Workspace, name: str, *, replace: bool = False) -> None:
    """Raise `ConfigError` if no model of this name can be written."""
    safe_name(name)
    if name == EMBEDDED_NAME:
        raise ConfigError(
            f"{name!r} is the name of the model that ships", todo="choose another name"
        )
    if not replace and model_folder(workspace, name) is not None:
        raise ConfigError(
            f"there is a model {name!r} already",
            where=str(workspace.models),
            todo="choose another name, or replace it",
            option="--name, --replace",
        )


def check_space(folder: Path, needed: int) -> None:
    """Raise `RunError` if the disk of `folder` has less than `needed` bytes and a reserve free."""
    make_folder(folder)
    free = shutil.disk_usage(folder).free
    if needed and needed + SPARE_DISK > free:
        raise RunError(
            f"the disk has {size(free)} free, and {size(needed + SPARE_DISK)} are needed "
            "including a reserve",
            where=str(folder),
            todo="free some space, or choose another workspace by CAPO_WORKSPACE",
        )


@contextmanager
def writing_errors(where: Path) -> Iterator[None]:
    """Turn errors of a disk that is full or not writable into a `RunError`.

    safetensors raises an error of its own there, with the system's number in its text.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        words = str(error)
        numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        full = getattr(error, "errno", None) in numbers or any(
            f"(os error {number})" in words for number in numbers
        )
        raise RunError(
            "the disk is full" if full else f"cannot write ({words.splitlines()[0][:200]})",
            where=str(where),
            todo=("free some space" if full else "make the folder writable")
            + " and try again; what was downloaded is kept",
        ) from error


def now() -> str:
    """Return the present time (UTC) in ISO form."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of the packages that convert models."""
    from importlib.metadata import version

    return {name: version(name) for name in ("transformers", "gguf", "safetensors", "torch")}


def has_chat_template(folder: Path) -> bool | None:
    """Return whether the tokenizer in `folder` has a chat template; None if it cannot be read."""
    if (folder / "chat_template.jinja").is_file():
        return True
    try:
        raw = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return bool(raw.get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return None


def parameters_of(folder: Path) -> int:
    """Return the number of parameters, from the headers of the safetensors files.

    Raises:
        ValueError, OSError: a file is damaged.
    """
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError(f"{path.name} is damaged")
            header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for side in tensor["shape"]:
                    count *= side
                total += count
    return total


def _shipped() -> ModelEntry:
    known = KNOWN_MODELS[EMBEDDED_NAME]
    found = _entry(EMBEDDED_BASE, EMBEDDED_NAME)
    return ModelEntry(
        EMBEDDED_NAME, known.title, SHIPPED, found.folder, found.size, found.parameters,
        known.licence, found.chat_template, "", "ships with this project", known.use,
        _sentences(EMBEDDED_NAME), found.problem,
    )  # fmt: skip


def _offered(name: str) -> ModelEntry:
    known = KNOWN_MODELS[name]
    return ModelEntry(
        name, known.title, DOWNLOADED, None, known.download_bytes, known.parameters,
        known.licence, None, known.quantised, "package index", known.use, _sentences(name),
    )  # fmt: skip


def _entry(folder: Path, name: str = "") -> ModelEntry:
    """Return the entry of a folder; what cannot be read is its problem."""
    name = name or folder.name
    origin = Origin.read(folder)
    known = KNOWN_MODELS.get(name) if origin and origin.kind == DOWNLOADED else None
    problem, parameters = "", origin.parameters if origin else 0
    try:
        check_model_files(folder)
        parameters = parameters or parameters_of(folder)
    except (CapoError, OSError, ValueError, KeyError, TypeError) as error:
        problem = str(error)
    return ModelEntry(
        name=name,
        title=origin.title if origin else name,
        kind=origin.kind if origin else FOLDER,
        folder=folder,
        size=_folder_size(folder),
        parameters=parameters,
        licence=origin.licence if origin else "",
        chat_template=has_chat_template(folder),
        quantised=origin.quantised if origin else "",
        source=source_line(origin.source) if origin else "put there by hand",
        use=known.use if known else "",
        measured=_sentences(name) if known else (),
        problem=problem,
    )


def source_line(source: dict[str, Any]) -> str:
    """Return a model's source in one line."""
    if "packages" in source:
        return "package index: " + ", ".join(each["package"] for each in source["packages"])
    if "hub" in source:
        return f"hub: {source['hub']}"
    if "run" in source:
        return f"run {source['run']} merged into {source['base']}"
    return f"file {source['file']}" if "file" in source else ""


def _sentences(name: str) -> tuple[str, ...]:
    return tuple(each.sentence for each in KNOWN_MODELS[name].measured)


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _card(origin: Origin, *, chat_template: bool | None) -> str:
    """Return the README.md of a model."""
    licence = origin.licence or "not known; see the source"
    rows = {
        "source": source_line(origin.source),
        "licence": licence,
        "parameters": f"{origin.parameters:,}",
        "weights": f"{origin.dtype}, safetensors",
        "quantised before": origin.quantised or "no",
        "chat template": "yes" if chat_template else "no",
        "converted with": ", ".join(f"{k} {v}" for k, v in origin.converted_with.items()),
        "made": origin.made,
    }
    quantised = (
        f"\nThe weights were quantised to {origin.quantised} by their publisher and widened again "
        "here: they are not\nthose of the original model, and what was lost by quantising is not "
        "regained.\n"
        if origin.quantised
        else ""
    )
    checksums = "".join(
        f"- `{name}`: SHA-256 `{sha256}`\n" for name, sha256 in _checksums(origin.source)
    )
    tag = origin.licence.lower()
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            f"license: {tag if re.fullmatch('[a-z0-9.-]+', tag) else 'other'}",
            "---",
            "",
            f"# {origin.title}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {str(value).replace('|', '/')} |" for name, value in rows.items()),
            quantised,
            *([f"## Files it was made from\n\n{checksums}"] if checksums else []),
            *(["## Notes\n", *(f"- {note}" for note in origin.notes), ""] if origin.notes else []),
        ]
    )


def _checksums(source: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for each in source.get("packages", ()):
        yield each["wheel"], each["sha256"]
    if "gguf" in source:
        yield source["gguf"], source["gguf_sha256"]
    elif "file" in source:
        yield source["file"], source["sha256"]
