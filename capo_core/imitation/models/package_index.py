"""Files of packages on the package indexes that pip is configured for.

pip itself reads its configuration (files, environment, defaults), in a process of its own; the
file is then found by the simple repository API (PEP 503, PEP 691) or among pip's find-links. Not
`pip download`: it cannot go on from a broken download, and shows progress to terminals only.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from capo_core.errors import BackendUnavailable
from capo_core.file_download import Connection, file_of, public_address, reason

_LARGEST_PAGE = 20_000_000  # bytes of an index page of one project
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"
_READ_OPTIONS = """
import json
from pip._internal.commands import create_command
options = create_command("download").parse_args([])[0]
indexes = [] if options.no_index else [options.index_url, *options.extra_index_urls]
print(json.dumps({
    "indexes": [each for each in indexes if each],
    "links": options.find_links,
    "cert": options.cert or "",
    "proxy": options.proxy or "",
}))
"""


@dataclass(frozen=True)
class PipSources:
    """Places where pip looks for packages.

    Attributes:
        indexes: addresses of indexes, pip's own first.
        links: folders, files and pages with links to packages.
        cert: file of certificates; `proxy`: address. "" for none.
    """

    indexes: tuple[str, ...]
    links: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""

    @property
    def connection(self) -> Connection:
        """Return the settings with which pip would open an address."""
        return Connection(cert=self.cert, proxy=self.proxy)


def pip_sources() -> PipSources:
    """Return pip's sources, as it would use them itself.

    Raises:
        BackendUnavailable: there is no pip in this environment.
    """
    done = subprocess.run(
        [sys.executable, "-c", _READ_OPTIONS], capture_output=True, text=True, check=False
    )
    try:
        if done.returncode:
            raise ValueError(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise BackendUnavailable(
            "pip is not installed in this environment, or its configuration cannot be read",
            todo="install pip (python -m ensurepip)",
        ) from None
    return PipSources(tuple(found["indexes"]), tuple(found["links"]), found["cert"], found["proxy"])


def file_addresses(package: str, filename: str, sources: PipSources) -> list[str]:
    """Return the addresses of a package's file, those on this machine first.

    Args:
        package: its normalised name (lower case, hyphens).

    Raises:
        BackendUnavailable: no source has it; the message says what each of them answered.
    """
    found, failures = [], []
    pages = [f"{index.rstrip('/')}/{package}/" for index in sources.indexes]
    places = [*sources.links, *pages]
    for place in sorted(places, key=lambda each: not _local(each)):
        try:
            found += [link for link in _links(place, sources) if _name(link) == filename]
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not _local(place):
                failures.append(f"{public_address(place)}: {reason(error)}")
    if not found:
        raise BackendUnavailable(
            "the package index cannot be reached"
            if failures
            else f"no package index has {filename}",
            where="; ".join(failures) or None,
            todo="check the connection and pip's configuration (python -m pip config list)",
        )
    return list(dict.fromkeys(found))


def _links(place: str, sources: PipSources) -> Iterator[str]:
    """Yield the addresses of files at a place where pip looks."""
    if _local(place):
        path = file_of(place) if place.startswith("file:") else Path(place).expanduser()
        if path.is_dir() and not (path / "index.html").is_file():
            yield from (each.resolve().as_uri() for each in sorted(path.iterdir()))
            return
        page = path / "index.html" if path.is_dir() else path
        if page.suffix == ".whl":
            yield page.resolve().as_uri()
            return
        place = page.resolve().as_uri()
    with sources.connection.open(place, {"Accept": _ACCEPT}) as answer:
        kind = answer.headers.get_content_type() if hasattr(answer, "headers") else "text/html"
        base = answer.geturl() if hasattr(answer, "geturl") else place
        text = answer.read(_LARGEST_PAGE).decode("utf-8", "replace")
    base = _with_login_of(place, base)
    if kind.endswith("json"):
        yield from (urljoin(base, each["url"]) for each in json.loads(text)["files"])
        return
    parser = _Anchors()
    parser.feed(text)
    yield from (urljoin(base, link) for link in parser.links)


class _Anchors(HTMLParser):
    """The targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if (tag, name) == ("a", "href") and value]


def _with_login_of(asked: str, answered: str) -> str:
    """Return the answering address with the login of the one that was asked, on the same host."""
    login, at, host = urlsplit(asked).netloc.rpartition("@")
    parts = urlsplit(answered)
    return (
        parts._replace(netloc=f"{login}@{host}").geturl()
        if at and parts.netloc == host
        else answered
    )


def _local(place: str) -> bool:
    return urlsplit(place).scheme not in ("http", "https")


def _name(link: str) -> str:
    return unquote(urlsplit(link).path.rpartition("/")[2])
