"""Downloads of single files whose size and SHA-256 are known beforehand.

A file is stored under its name only when both are right. With `resume` a broken download leaves
its beginning beside the target, and the next one asks the server for the rest.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from capo_core.errors import DataError
from capo_core.formatting import size as in_words
from capo_core.progress import Progress, silent
from capo_core.workspace import atomic_file, make_folder

CHUNK = 2**16
AGENT = "capo-lab"


@dataclass(frozen=True)
class ExpectedFile:
    """A file to download.

    Attributes:
        name: of the file, for messages.
        size: in bytes.
        sha256: hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Connection:
    """Settings with which addresses are opened.

    Attributes:
        timeout_s: longest silence of the server.
        limit_s: longest download; None for no limit.
        cert: file of certificates to trust instead of the system's; "" for these.
        proxy: address of a proxy; "" for that of the environment.
        check: raises if an address, also one redirected to, must not be opened.
    """

    timeout_s: float = 30
    limit_s: float | None = None
    cert: str = ""
    proxy: str = ""
    check: Callable[[str], None] = lambda address: None

    def open(self, address: str, headers: dict[str, str] | None = None) -> Any:
        """Return the answer of the server, or an open file for a file:// address.

        Raises:
            OSError, http.client.HTTPException: no answer, or one that is an error.
        """
        self.check(address)
        if urlsplit(address).scheme == "file":
            return file_of(address).open("rb")
        plain, login = _without_login(address)
        request = urllib.request.Request(plain, headers={"User-Agent": AGENT, **(headers or {})})
        if login:  # not for the host that a redirect leads to
            request.add_unredirected_header("Authorization", login)
        handlers: list[Any] = [_CheckedRedirects(self.check)]
        if self.cert:
            context = ssl.create_default_context(cafile=self.cert)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        if self.proxy:
            handlers.append(urllib.request.ProxyHandler({"http": self.proxy, "https": self.proxy}))
        return urllib.request.build_opener(*handlers).open(request, timeout=self.timeout_s)


def download_file(
    address: str,
    target: Path,
    expected: ExpectedFile,
    progress: Progress = silent,
    *,
    connection: Connection | None = None,
    resume: bool = False,
    todo: str = "try again",
) -> Path:
    """Download `address` to `target`, and verify its size and SHA-256.

    Args:
        resume: keep the beginning of a broken download, and go on from one that is there. Only
            one process at a time may then download this target.
        todo: what a user can do where it fails.

    Returns: `target`.

    Raises:
        DataError: no connection, or not the file that was expected.
        OSError: `target` cannot be written.
    """
    connection = connection or Connection()
    make_folder(target.parent)
    part = partial_path(target)
    try:
        with _destination(target, part if resume else None) as file:
            digest = _body(address, file, expected, progress, connection, todo)
            if digest != expected.sha256:
                raise _WrongFile(
                    f"the downloaded file is not the one expected (SHA-256 {digest[:16]}…)",
                    where=public_address(address),
                    expected=f"SHA-256 {expected.sha256[:16]}…; nothing was stored",
                    todo=todo,
                )
    except _WrongFile:
        part.unlink(missing_ok=True)  # or every further try would go on from it
        raise
    return target


def partial_path(target: Path) -> Path:
    """Return the place of the beginning of a broken download of `target`."""
    return target.with_name(f".{target.name}.part")


def verified(path: Path, expected: ExpectedFile) -> bool:
    """Return whether `path` is the expected file."""
    if not path.is_file() or path.stat().st_size != expected.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected.sha256


def public_address(address: str) -> str:
    """Return the address without a login in it."""
    return _without_login(address)[0]


def file_of(address: str) -> Path:
    """Return the path of a file:// address."""
    return Path(urllib.request.url2pathname(urlsplit(address).path))


def reason(error: Exception) -> str:
    """Return why a connection failed."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the server did not answer in time"
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return f"no connection: {why}"


class _WrongFile(DataError):
    """The file at the address is another one."""


@contextmanager
def _destination(target: Path, part: Path | None) -> Iterator[IO[bytes]]:
    """Yield the file to write; it becomes `target` when the block ends well."""
    if part is None:
        with atomic_file(target) as file:
            yield file
        return
    with part.open("ab+") as file:
        yield file
    part.replace(target)


def _body(
    address: str,
    file: IO[bytes],
    expected: ExpectedFile,
    progress: Progress,
    connection: Connection,
    todo: str,
) -> str:
    """Write the body to `file`, after what it holds already; return the SHA-256 (hex) of all."""
    where, begun = public_address(address), time.monotonic()
    what = f"Downloading {expected.name}"
    digest, done = hashlib.sha256(), _held(file, expected.size)
    progress(what, done / expected.size)
    if done == expected.size:
        return _digest_of(file)
    try:
        answer = connection.open(address, {"Range": f"bytes={done}-"} if done else None)
    except (OSError, http.client.HTTPException) as error:
        if done and getattr(error, "code", 0) == 416:  # the server cannot go on there
            file.truncate(0)
            return _body(address, file, expected, progress, connection, todo)
        raise _broken(error, where, todo) from None
    with answer:
        if done and not _goes_on(answer, done):
            file.truncate(0)
            done = 0
        if done:
            file.seek(0)
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        while chunk := _read(answer, where, todo):
            done += len(chunk)
            if done > expected.size:
                raise _WrongFile(
                    f"the file is larger than {in_words(expected.size)}", where=where, todo=todo
                )
            if connection.limit_s is not None and time.monotonic() - begun > connection.limit_s:
                raise DataError(
                    f"the download had not finished after {connection.limit_s:.0f} s",
                    where=where,
                    todo=todo,
                )
            digest.update(chunk)
            file.write(chunk)
            progress(what, done / expected.size)
    if done < expected.size:
        raise DataError(
            f"the connection ended after {done:,} of {expected.size:,} bytes",
            where=where,
            todo=f"try again, or {todo}" if todo != "try again" else todo,
        )
    return digest.hexdigest()


def _held(file: IO[bytes], size: int) -> int:
    """Return the number of bytes that are there; none of a file that is too large."""
    held = file.seek(0, 2)
    if held > size:
        file.truncate(0)
        return 0
    return held


def _digest_of(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _goes_on(answer: Any, start: int) -> bool:
    """Return whether the answer begins at byte `start`."""
    if not hasattr(answer, "headers"):  # a file of this machine
        answer.seek(start)
        return True
    said = answer.headers.get("Content-Range") or ""
    return answer.status == 206 and said.startswith(f"bytes {start}-")


def _read(answer: Any, where: str, todo: str) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _broken(error, where, todo) from None


def _broken(error: Exception, where: str, todo: str) -> DataError:
    return DataError(f"the download failed ({reason(error)})", where=where, todo=todo)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are followed only to addresses that may be opened."""

    def __init__(self, check: Callable[[str], None]) -> None:
        self.check = check

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        self.check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _without_login(address: str) -> tuple[str, str]:
    """Return the address without its login, and the login as an Authorization header."""
    parts = urlsplit(address)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return address, ""
    token = base64.b64encode(unquote(login).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {token}"
