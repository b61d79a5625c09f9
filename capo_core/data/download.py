"""Downloads of public datasets, stored only if their checksum is the recorded one."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from capo_core.data.formats.base import DownloadSource
from capo_core.data.formats.registry import download_sources
from capo_core.data.limits import megabytes
from capo_core.errors import ConfigError, DataError
from capo_core.progress import Progress, silent
from capo_core.workspace import Workspace, atomic_file, make_folder

_CHUNK = 2**16


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
    if target.is_file() and _checksum(target) == about.sha256:
        progress(f"{about.file} exists already", 1.0)
        return target
    address = url or about.url
    _check_address(address)
    make_folder(target.parent)
    try:
        with atomic_file(target) as file:
            digest = _download(address, about, by_hand, file, progress, timeout_s, limit_s)
            if digest != about.sha256:
                raise DataError(
                    f"the downloaded file is not the one expected (SHA-256 {digest[:16]}…)",
                    where=address,
                    expected=f"SHA-256 {about.sha256[:16]}…; nothing was stored",
                    todo=by_hand,
                )
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"the download failed ({_reason(error)})", where=address, todo=by_hand
        ) from None
    return target


def _download(
    address: str,
    about: DownloadSource,
    by_hand: str,
    file: IO[bytes],
    progress: Progress,
    timeout_s: float,
    limit_s: float,
) -> str:
    """Write the body to `file` and return the SHA-256 (hex) of what was written."""
    opener = urllib.request.build_opener(_SafeRedirects)
    request = urllib.request.Request(address, headers={"User-Agent": "capo-lab"})
    digest, done, start = hashlib.sha256(), 0, time.monotonic()
    progress(f"Downloading {about.file}", 0.0)
    with opener.open(request, timeout=timeout_s) as answer:
        while chunk := answer.read(_CHUNK):
            done += len(chunk)
            if done > about.size:
                raise DataError(
                    f"the file is larger than {megabytes(about.size)}",
                    where=address,
                    todo=by_hand,
                )
            if time.monotonic() - start > limit_s:
                raise DataError(
                    f"the download had not finished after {limit_s:.0f} s",
                    where=address,
                    todo=by_hand,
                )
            digest.update(chunk)
            file.write(chunk)
            progress(f"Downloading {about.file}", done / about.size)
    if done < about.size:
        raise DataError(
            f"the connection ended after {done:,} of {about.size:,} bytes",
            where=address,
            todo=f"try again, or {by_hand}",
        )
    return digest.hexdigest()


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are followed, but never away from https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the server did not answer in time"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return f"no connection: {reason}"
