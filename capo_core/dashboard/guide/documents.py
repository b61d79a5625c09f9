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
    "library": ("The library", "library.md"),
    "methods": ("Methods: stability", "methods.md"),
    "methods-imitation": ("Methods: imitation", "methods-imitation.md"),
    "methods-referee": ("Methods: tests beside the scores", "methods-referee.md"),
    "methods-distributions": ("Methods: label distributions", "methods-distributions.md"),
    "methods-leaderboards": ("Methods: boards of the field", "methods-leaderboards.md"),
    "methods-studies": ("Methods: blind studies", "methods-studies.md"),
    "findings": ("What may be said of a result", "findings.md"),
    "paper": ("Beside the paper", "paper.md"),
    "results": ("Results on people", "results.md"),
    "speed": ("Speed and size", "speed.md"),
}
_PICTURE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{2,3}) (.+)$", re.MULTILINE)
_CONTENTS = re.compile(r"^On this page: .*\n", re.MULTILINE)  # for readers of the file
_WORDS = re.compile(r"\[([^\]]*)\]\([^)]*\)|[`*]")  # what a heading's anchor takes from Markdown
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A picture of a document, with its alternative text."""

    path: Path
    alt: str


@dataclass(frozen=True)
class Heading:
    """A heading of a document.

    Attributes:
        level: 2 for a section, 3 for a part of one. text: Markdown.
        anchor: its place in the page's address, as links of the documents name it.
    """

    level: int
    text: str
    anchor: str


Part = str | Picture | Heading


def contents(found: list[Part]) -> str:
    """Return the table of contents of a document as a Markdown list; "" of fewer than three
    sections."""
    lines: list[str] = []
    sections = 0
    for part in found:
        if isinstance(part, Heading):
            words = _WORDS.sub(r"\1", part.text).replace("[", r"\[").replace("]", r"\]")
            link = f"[{words}](#{part.anchor})"
            if part.level == 2:
                sections += 1
                lines.append(f"- {link}")
            elif lines:
                lines[-1] += f"{' · ' if '](' in lines[-1].partition(')')[2] else ': '}{link}"
    return "\n".join(lines) if sections > 2 else ""


def parts(name: str, folder: Path = DOCS) -> list[Part]:
    """Return a document's Markdown, pictures and headings, in order, without its own title and its
    own list of contents.

    Links to other documents of the guide are addresses of this page, other relative links only
    their words. Links within a document keep their anchors; of another document the anchor is the
    address's `at`, since a page that writes its address drops what stands behind "#".

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
    text = _CONTENTS.sub("", re.sub(r"\A# .*\n", "", text))
    pieces: list[Part] = []
    taken: dict[str, int] = {}
    for place, piece in enumerate(_FENCE.split(text)):
        if place % 2:  # code stays as it is
            pieces.append(piece)
        else:
            linked = _LINK.sub(lambda found: _link(path, folder, found), piece)
            pieces += _cut(linked, path.parent, taken)
    return _joined(pieces)


def _cut(text: str, folder: Path, taken: dict[str, int]) -> list[Part]:
    """Return the pieces of a text without code: texts, pictures, headings."""
    found: list[Part] = []
    end = 0
    matches = [*_PICTURE.finditer(text), *_HEADING.finditer(text)]
    for match in sorted(matches, key=lambda each: each.start()):
        found.append(text[end : match.start()])
        if match[0].startswith("!"):
            found.append(Picture(folder / match[2], match[1]))
        else:
            found.append(Heading(len(match[1]), match[2], _anchor(match[2], taken)))
        end = match.end()
    return [*found, text[end:]]


def _joined(pieces: list[Part]) -> list[Part]:
    """Return the pieces with neighbouring texts as one, without empty ones."""
    found: list[Part] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    found = [part.strip() if isinstance(part, str) else part for part in found]
    return [part for part in found if part]


def _anchor(heading: str, taken: dict[str, int]) -> str:
    """Return a heading's anchor as code hosts form it; of equal ones all but the first have a
    number."""
    words = _WORDS.sub(r"\1", heading.strip().lower())
    anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
    taken[anchor] = taken.get(anchor, -1) + 1
    return f"{anchor}-{taken[anchor]}" if taken[anchor] else anchor


def _link(path: Path, folder: Path, found: re.Match) -> str:
    words, target = found.groups()
    if urlsplit(target).scheme:
        return found[0]
    file, _, anchor = target.partition("#")
    if not file:
        return found[0]
    aim = (path.parent / file).resolve()
    for name, (_, known) in DOCUMENTS.items():
        if aim == (folder / known).resolve():
            return f"[{words}](guide?doc={name}{f'&at={anchor}' if anchor else ''})"
    return words
