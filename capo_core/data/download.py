"""Downloads of public datasets, stored only if their checksum is the recorded one."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from capo_core.data.catalog import Catalog
from capo_core.data.formats.base import DownloadSource
from capo_core.data.formats.registry import download_groups, download_sources, format_of_source
from capo_core.data.importing import ImportResult, read_dataset
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.file_download import Connection, ExpectedFile, download_file, verified
from capo_core.progress import Progress, part_of, silent
from capo_core.workspace import Workspace


def source_named(name: str) -> DownloadSource:
    """Return the published data of this name.

    Raises:
        ConfigError: there are none; the text names all there are.
    """
    (found,) = sources_named(name, groups=False)
    return found


def sources_named(name: str, *, groups: bool = True) -> list[DownloadSource]:
    """Return the published data of this name: one, or with `groups` all those of a group.

    Raises:
        ConfigError: there are none; the text names all there are.
    """
    sources, together = download_sources(), download_groups() if groups else {}
    if name in sources:
        return [sources[name]]
    if name in together:
        return [sources[each] for each in together[name]]
    named = [*sources, *(f"{group} (all of {group}-…)" for group in together)]
    raise ConfigError(f"the source {name!r} is not known", expected=f"one of {', '.join(named)}")


def fetch(
    source: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    url: str | None = None,
    timeout_s: float = 30,
    limit_s: float = 900,
) -> list[Path]:
    """Download a source into the folder `downloads` of `workspace` and verify its checksums.

    A file that exists already, with the right checksum, is not downloaded again.

    Args:
        url: alternative URL of the same file, of several files of the folder with them (the
            checksums stay); https, or http on this machine.
        timeout_s: longest silence of the server. limit_s: longest download of a file.

    Returns: the paths of the files, in the order of `DownloadSource.files`.

    Raises:
        ConfigError: an unknown source, or an address that is not https.
        DataError: no connection, a wrong checksum, or a source without a download.
    """
    about = source_named(source)
    by_hand = about.instructions()
    if not about.files:
        raise DataError(f"{source} cannot be downloaded automatically", todo=by_hand)
    folder = workspace.root / "downloads"
    if len(about.files) > 1:
        folder = folder / source
    connection = Connection(timeout_s, limit_s, check=_check_address)
    paths, done = [], 0
    for file in about.files:
        target = folder / file.name
        expected = ExpectedFile(file.name, file.size, file.sha256)
        report = part_of(progress, done / about.size, (done + file.size) / about.size)
        if verified(target, expected):
            report(f"{file.name} exists already", 1.0)
        else:
            address = file.url if url is None else url
            if url is not None and len(about.files) > 1:
                address = f"{url.rstrip('/')}/{file.name}"
            try:
                download_file(
                    address, target, expected, report, connection=connection, todo=by_hand
                )
            except OSError as error:
                raise DataError(
                    f"the file cannot be stored ({error.strerror})", where=str(target), todo=by_hand
                ) from None
        paths.append(target)
        done += file.size
    return paths


def fetch_dataset(
    source: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    name: str = "",
    url: str | None = None,
    shares: tuple[float, float, float] | None = None,
    seed: int = 0,
) -> ImportResult:
    """Download a published dataset and read it: all its files, with the splits they state.

    Args:
        name: of the dataset; "" for the source's.
        url: see `fetch`. shares, seed: see `importing.read_dataset`.

    Raises:
        ConfigError, DataError: as `fetch` and `read_dataset`; the files are no dataset.
    """
    about = source_named(source)
    if not about.is_dataset:
        raise ConfigError(
            f"{source} is no dataset: its files hold label distributions",
            todo="download them on their own, and compare them as label distributions",
            option=f"data fetch {source}, then {about.pattern}",
        )
    files = fetch(source, workspace, progress, url=url)
    read = read_dataset(
        [path for path in files if not path.name.endswith("_meta.json")],
        name=name or source,
        format=format_of_source(source).name,
        shares=shares,
        seed=seed,
    )
    notes = [f"downloaded from {_revision(about)}; licence: {about.licence}"]
    if about.note:
        notes.append(about.note)
    return replace(read, report=replace(read.report, notes=(*read.report.notes, *notes)))


def load_or_fetch(name: str, workspace: Workspace, progress: Progress = silent) -> Dataset:
    """Return the dataset of this name; one that is published is downloaded and added if needed.

    Raises:
        ConfigError, DataError: as `fetch_dataset` and `Catalog.load`.
    """
    catalog = Catalog(workspace)
    if name not in catalog.names() and name in download_sources():
        read = fetch_dataset(name, workspace, progress)
        catalog.add(read.dataset, read.report, replace=True)  # another process may have, too
    return catalog.load(name)


def _revision(about: DownloadSource) -> str:
    """Return repository and commit of published files."""
    owner, repository, commit = urlsplit(about.files[0].url).path.strip("/").split("/")[:3]
    return f"{owner}/{repository} at commit {commit[:7]}"


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and _this_machine(parts.hostname or "")):
        return
    raise ConfigError(
        f"the address {address!r} is not https", expected="https://… (http only on this machine)"
    )


def _this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
