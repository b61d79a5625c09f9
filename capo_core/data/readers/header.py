"""The header of a table: behind titles and comments, in two rows, or repeated under itself.

Survey tools and people write more above a table than its column names. What is above the header is
noted; a row beneath it that holds no data is set aside with its reason, so that no row is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from capo_core.data.column_names import SYNONYMS, normalised_name, recognised
from capo_core.data.rejected_rows import quoted
from capo_core.formatting import count

_ROLES = {name: role for role in ("label", "explanation", "valid") for name in SYNONYMS[role]}
_PEOPLE = {*SYNONYMS["annotator_id"], "annotators", "raters", "workers", "coders"}
_IMPORT_ID = re.compile(r'\s*\{\s*"ImportId"\s*:')
# What SurveyMonkey writes under each question.
_RESPONSE = {"response", "open-ended response", "other (please specify)", "please specify"}
_RULE = re.compile(r":?-{3,}:?")
_ABOVE = 20  # rows in which the header is looked for
_LOOK = 200  # rows beneath that are looked at

Record = list[str]


@dataclass(frozen=True)
class TableHeader:
    """Place and content of a header.

    Attributes:
        names: the columns' names, as written; of two rows, joined.
        first: index of the first record beneath the header.
        aside: index of a record beneath the header that is no data → reason.
        notes: what was left out above the header, and how two rows were joined.
    """

    names: list[str]
    first: int
    aside: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_header(records: Sequence[Record]) -> TableHeader | None:
    """Return the header of a table; None if all records are blank."""
    filled = [i for i, record in enumerate(records[:_LOOK]) if any(cell.strip() for cell in record)]
    if not filled:
        filled = [i for i, record in enumerate(records) if any(cell.strip() for cell in record)][:1]
        if not filled:
            return None
    above = _above(records, filled)
    start = next(index for index in filled if index not in above)
    notes = []
    if above:
        lines = [" ".join(cell.strip() for cell in records[i] if cell.strip()) for i in above]
        notes.append(
            f"{count(len(above), 'line')} above the header left out: "
            f"{quoted(lines[0])}{' and more' if len(lines) > 1 else ''}"
        )
    names = list(records[start])
    if names and names[0].lstrip().startswith("#"):
        names[0] = names[0].lstrip().lstrip("#").strip()
    below = [index for index in filled if index > start]
    first = start + 1
    if below and (joined := _two_rows(records, start, below)):
        names, used, note = joined
        notes.append(note)
        first = used + 1
        below = [index for index in below if index > used]
    aside = _no_data(records, names, below)
    names = _trimmed(names)
    aside |= _header_again(records, names, first, aside)
    return TableHeader(names, first, aside, tuple(notes))


def _trimmed(names: Record) -> Record:
    while len(names) > 1 and not names[-1].strip():
        names = names[:-1]
    return names


def _filled(record: Record) -> int:
    return sum(bool(cell.strip()) for cell in record)


def _span(record: Record) -> int:
    """Return the number of cells up to the last one that is filled."""
    return max((place for place, cell in enumerate(record, 1) if cell.strip()), default=0)


def _above(records: Sequence[Record], filled: Sequence[int]) -> list[int]:
    """Return the indices of titles and comments above the header."""
    spans = sorted(_span(records[index]) for index in filled[1:60])
    typical = spans[len(spans) // 2] if spans else 0
    found: list[int] = []
    for position, index in enumerate(filled[:_ABOVE]):
        record = records[index]
        rest = filled[position + 1 : position + 1 + _ABOVE]
        if not rest or not _no_header(record, [records[i] for i in rest], typical):
            break
        if _two_rows(records, index, rest):  # annotators in merged cells, no title
            break
        found.append(index)
    return found


def _no_header(record: Record, rest: Sequence[Record], typical: int) -> bool:
    """Return whether a record is a comment or a title above others, one of which is the header."""
    if record[0].lstrip().startswith("#"):
        bare = [record[0].lstrip().lstrip("#"), *record[1:]]
        # "#item_id,annotator,label" is a header, "# exported on 3 May, by us" a comment.
        return not (_span(record) >= typical > 1 and recognised(bare))
    if typical < 2 or recognised(record):
        return False
    n = _filled(record)
    if n == 1 and record[0].strip() and _span(rest[0]) >= 1:
        return typical >= 2 and any(_filled(each) >= 2 for each in rest)
    # "Date, 3 May": few cells, above a row that has more names that are known.
    return n <= typical / 2 and any(
        recognised(each) >= 2 and _filled(each) >= 2 * n for each in rest[:_ABOVE]
    )


def _padded(record: Record, width: int) -> Record:
    return [*record[:width], *[""] * (width - len(record))]


def _carried(cells: Record) -> Record:
    """Return cells in which a blank one has the text to its left, as of merged cells."""
    result, last = [], ""
    for cell in cells:
        last = cell.strip() or last
        result.append(last)
    return result


def _two_rows(
    records: Sequence[Record], start: int, below: Sequence[int]
) -> tuple[Record, int, str] | None:
    """Return the joined names, the index of the last record used, and a note; None for one row."""
    second = below[0]
    width = max(_span(records[start]), _span(records[second]))
    top, low = _padded(records[start], width), _padded(records[second], width)
    carried = _carried(top)
    roles = [_ROLES.get(normalised_name(cell), "") for cell in low]
    names = _annotator_over_role(top, carried, low, roles)
    used = second
    if names is None:
        names = _role_over_annotator(top, carried, low, [records[i] for i in below[1:]])
        if names is None:
            return None
        used, names = _index_names(records, names, below, used)
    example = next(name for name in names if " " in name)
    rows = used - start + 1
    return names, used, f"the header has {rows} rows; they are joined, such as {quoted(example)}"


def _annotator_over_role(
    top: Record, carried: Record, low: Record, roles: Sequence[str]
) -> Record | None:
    """Return names for annotators over label, reason, label, reason; None if it is not that."""
    labels = [place for place, role in enumerate(roles) if role == "label"]
    people = [carried[place] for place in labels]
    if len(labels) < 2 or len({low[place].strip().casefold() for place in labels}) > 1:
        return None
    if not all(people) or len(set(people)) < len(people):
        return None
    if any(_ROLES.get(normalised_name(name)) for name in people):
        return None
    names = []
    for place, (above, beneath) in enumerate(zip(top, low, strict=True)):
        if roles[place] and carried[place] in people:
            names.append(f"{beneath.strip()} {carried[place]}")
        else:
            names.append(beneath.strip() or above.strip())
    return names


def _role_over_annotator(
    top: Record, carried: Record, low: Record, below: Sequence[Record]
) -> Record | None:
    """Return names for label, label, reason, reason over annotators, as pandas writes a pivot."""
    roles = [_ROLES.get(normalised_name(cell), "") for cell in carried]
    labels = [place for place, role in enumerate(roles) if role == "label"]
    people = [low[place].strip() for place in labels]
    if len(labels) < 2 or not all(people) or len(set(people)) < len(people):
        return None
    known = {*_PEOPLE, *(name for names in SYNONYMS.values() for name in names), "id", ""}
    others = [low[place] for place, role in enumerate(roles) if not role]
    if not others or any(normalised_name(cell) not in known for cell in others):
        return None
    given = {_padded(record, len(low))[place].strip() for record in below for place in labels}
    if given & set(people):  # they are labels, and this is the first row of data
        return None
    return [
        f"{carried[place]} {cell.strip()}" if roles[place] and cell.strip()
        else _own_name(cell, top[place])
        for place, cell in enumerate(low)
    ]  # fmt: skip


def _own_name(low: str, top: str) -> str:
    """Return the name of a column that no annotator has; pandas writes "annotator" over it."""
    names = [name.strip() for name in (low, top) if normalised_name(name) not in _PEOPLE]
    return next((name for name in names if name), "")


def _index_names(
    records: Sequence[Record], names: Record, below: Sequence[int], used: int
) -> tuple[int, Record]:
    """Return the last record used and the names, where a third row has those of the index."""
    if len(below) < 2:
        return used, names
    third = _padded(records[below[1]], len(names))
    blank = [place for place, name in enumerate(names) if not name]
    if not blank or any(cell.strip() for p, cell in enumerate(third) if p not in blank):
        return used, names
    return below[1], [name or third[place].strip() for place, name in enumerate(names)]


def _no_data(records: Sequence[Record], names: Record, below: Sequence[int]) -> dict[int, str]:
    """Return the rows of question texts and import identifiers under the header → reason."""
    for position, index in enumerate(below[:3]):
        if any(_IMPORT_ID.match(cell) for cell in records[index]):
            texts = dict.fromkeys(below[:position], "a second header row: the questions' texts")
            return texts | {index: "a third header row: import identifiers of the survey tool"}
    if not below:
        return {}
    record = records[below[0]]
    pairs = [(a, b) for a, b in zip(names, record, strict=False) if a.strip() and b.strip()]
    alike = sum(normalised_name(a) == normalised_name(b) for a, b in pairs)
    if alike >= 2 and not _same(names, record):
        return {below[0]: "a second header row: the questions' texts"}
    cells = {cell.strip().casefold() for cell in record if cell.strip()}
    if cells and cells <= _RESPONSE and len(below) > 1:
        return {below[0]: "a second header row: the kinds of answers"}
    if len(cells) == 1 and _filled(record) > 1 and _RULE.fullmatch(cells.pop()):
        return {below[0]: "the line under the header of a Markdown table"}
    return {}


def _same(names: Record, record: Record) -> bool:
    cells = [cell.strip() for cell in record]
    return [name.strip() for name in names if name.strip()] == [cell for cell in cells if cell]


def _header_again(
    records: Sequence[Record], names: Record, first: int, aside: dict[int, str]
) -> dict[int, str]:
    """Return the rows that repeat the header, as in tables that were put one under another."""
    wanted = [name.strip() for name in names]
    if len(wanted) < 2:
        return {}
    return {
        index: "the header again"
        for index in range(first, len(records))
        if index not in aside
        and records[index][:1]
        and records[index][0].strip() == wanted[0]
        and [cell.strip() for cell in _trimmed(records[index])] == wanted
    }
