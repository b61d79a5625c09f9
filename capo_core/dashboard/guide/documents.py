"""The documents of the guide, cut into texts and pictures, with links that lead to each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from capo_core.errors import DataError
from capo_core.shipped import DOCS

# Key in the address → title and file; in the order of reading.
DOCUMENTS = {
    "dashboard": ("A walk through the dashboard", "guide/dashboard.md"),
    "data": ("Data", "data.md"),
    "distributions": ("Distributions", "guide/distributions.md"),
    "finetune": ("Fine-tune", "guide/finetune.md"),
    "compare": ("Compare", "guide/compare.md"),
    "studies": ("Blind studies", "guide/studies.md"),
    "judging": ("Judging, and access", "guide/judging.md"),
    "figures": ("Figures", "guide/figures.md"),
    "glossary": ("Glossary", "glossary.md"),
    "commands": ("The command line", "commands.md"),
    "imitation": ("Imitation on the command line", "imitation.md"),
    "models": ("Base models", "models.md"),
    "settings": ("Every setting", "settings.md"),
    "methods": ("Methods: stability", "methods.md"),
    "methods-imitation": ("Methods: imitation", "methods-imitation.md"),
    "methods-referee": ("Methods: tests beside the scores", "methods-referee.md"),
    "methods-distributions": ("Methods: label distributions", "methods-distributions.md"),
    "methods-leaderboards": ("Methods: boards of the field", "methods-leaderboards.md"),
    "methods-studies": ("Methods: blind studies", "methods-studies.md"),
    "findings": ("What may be said of a result", "findings.md"),
    "results": ("Results on people", "results.md"),
}
_PICTURE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+ )", re.MULTILINE)
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A picture of a document, with its alternative text."""

    path: Path
    alt: str


def parts(name: str, folder: Path = DOCS) -> list[str | Picture]:
    """Return a document's Markdown and pictures, in order, without its own title.

    Headings are one level lower, since the page has a title; links to other documents of the guide
    are addresses of this page, other relative links only their words.

    Raises:
        DataError: the file is not there.
    """
    path = folder / DOCUMENTS[name][1]
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"this part of the guide cannot be read ({error.strerror})",
            where=str(path),
            todo="install the project again",
        ) from None
    text = re.sub(r"\A# .*\n", "", text)
    pieces = _FENCE.split(text)  # code, at odd places, stays as it is
    pieces[::2] = [
        _HEADING.sub(r"#\1", _LINK.sub(lambda found: _link(path, folder, found), piece))
        for piece in pieces[::2]
    ]
    return _cut("".join(pieces), path.parent)


def _cut(text: str, folder: Path) -> list[str | Picture]:
    found: list[str | Picture] = []
    end = 0
    for match in _PICTURE.finditer(text):
        found += [text[end : match.start()].strip(), Picture(folder / match[2], match[1])]
        end = match.end()
    found.append(text[end:].strip())
    return [part for part in found if part]


def _link(path: Path, folder: Path, found: re.Match) -> str:
    words, target = found.groups()
    if urlsplit(target).scheme:
        return found[0]
    aim = (path.parent / target.partition("#")[0]).resolve()
    for name, (_, file) in DOCUMENTS.items():
        if target.partition("#")[0] and aim == (folder / file).resolve():
            return f"[{words}](guide?doc={name})"
    return words
