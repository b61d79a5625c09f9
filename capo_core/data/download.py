"""Downloads of public datasets, stored only if their checksum is the recorded one."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from capo_core.data.formats.registry import download_sources
from capo_core.errors import ConfigError, DataError
from capo_core.file_download import Connection, ExpectedFile, download_file, verified
from capo_core.progress import Progress, silent
from capo_core.workspace import Workspace


def fetch(
    source: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    url: str | None = None,
    timeout_s: float = 30,
    limit_s: float = 900,
) -> Path:
    """Download a source into the folder `downloads` of `workspace` and verify its checksum.

    A file that exists already, with the right checksum, is not downloaded again.

    Args:
        url: alternative URL of the same file (the checksum stays); https, or http on this machine.
        timeout_s: longest silence of the server. limit_s: longest download.

    Returns: the path of the file.

    Raises:
        ConfigError: an unknown source, or an address that is not https.
        DataError: no connection, a wrong checksum, or a source without a download.
    """
    sources = download_sources()
    if source not in sources:
        raise ConfigError(
            f"the source {source!r} is not known", expected=f"one of {', '.join(sources)}"
        )
    about, by_hand = sources[source], sources[source].instructions(source)
    if not about.url:
        raise DataError(f"{source} cannot be downloaded automatically", todo=by_hand)
    target = workspace.root / "downloads" / about.file
    expected = ExpectedFile(about.file, about.size, about.sha256)
    if verified(target, expected):
        progress(f"{about.file} exists already", 1.0)
        return target
    connection = Connection(timeout_s, limit_s, check=_check_address)
    try:
        return download_file(
            url or about.url, target, expected, progress, connection=connection, todo=by_hand
        )
    except OSError as error:
        raise DataError(
            f"the file cannot be stored ({error.strerror})", where=str(target), todo=by_hand
        ) from None


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
