"""All dataset formats by name: every module of this folder that has a constant `FORMAT`."""

from __future__ import annotations

import importlib
import pkgutil

from capo_core.data import formats
from capo_core.data.formats.base import DownloadSource, Format
from capo_core.data.formats.table import FORMAT as TABLE
from capo_core.data.readers.table import ImportSource
from capo_core.errors import ConfigError

AUTO = "auto"  # in place of a format's name: detect it


def _discover() -> dict[str, Format]:
    modules = (
        importlib.import_module(f"{formats.__name__}.{module.name}")
        for module in pkgutil.iter_modules(formats.__path__)
    )
    found = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {format.name: format for format in sorted(found, key=lambda each: each.name)}


FORMATS = _discover()


def format_names() -> list[str]:
    """Return the values that `--format` takes: "auto" and all names."""
    return [AUTO, *FORMATS]


def detect(source: ImportSource) -> Format:
    """Return the first format that matches the file's content, else the table.

    Formats of one tool come before general shapes.
    """
    ordered = sorted(FORMATS.values(), key=lambda each: each.general)
    return next((each for each in ordered if each.matches and each.matches(source)), TABLE)


def format_of(name: str, source: ImportSource) -> Format:
    """Return the format named, or the one detected for "auto".

    Raises:
        ConfigError: there is no such format.
    """
    if name == AUTO:
        return detect(source)
    if name not in FORMATS:
        raise ConfigError(
            f"the format {name!r} is not known", expected=f"one of {', '.join(format_names())}"
        )
    return FORMATS[name]


def download_sources() -> dict[str, DownloadSource]:
    """Return the published data of all formats, by their names for `data fetch`."""
    found = [source for each in FORMATS.values() for source in each.downloads]
    return {source.name: source for source in sorted(found, key=lambda source: source.name)}


def download_groups() -> dict[str, tuple[str, ...]]:
    """Return name → published data that are fetched together under it: "lewidi", for the two or
    more sources whose names begin with "lewidi-"."""
    by_stem: dict[str, list[str]] = {}
    for name in download_sources():
        stem, dash, _ = name.partition("-")
        if dash:
            by_stem.setdefault(stem, []).append(name)
    return {stem: tuple(names) for stem, names in by_stem.items() if len(names) > 1}


def format_of_source(name: str) -> Format:
    """Return the format of published data; `KeyError` if there are none of this name."""
    for each in FORMATS.values():
        if any(source.name == name for source in each.downloads):
            return each
    raise KeyError(name)
