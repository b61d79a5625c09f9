"""Labels of words: recognised, and refused with the reason.

WebAnno and INCEpTION write a token in each line (`#FORMAT=WebAnno TSV`), CoNLL too, with a blank
line between sentences and labels such as B-PER, and brat a span in each line (`T1<tab>PER 0 5<tab>
Maria`). They label parts of a text, and mostly name no annotator.
"""

from __future__ import annotations

import re

from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError

_WEBANNO = re.compile(r"\s*#\s*(?:FORMAT=)?WebAnno", re.IGNORECASE)
_TAG = re.compile(r"O|[BIESLU]-\S+")  # of the schemes IOB, IOBES and BILOU
_SPAN = re.compile(r"T\d+\t\S+ \d+ \d+(?:;\d+ \d+)*\t.*")
_LOOK = 400  # lines that are looked at


def matches(source: ImportSource) -> bool:
    """Return whether each line labels a token or a span of a text."""
    if source.kind != "text" or source.json:
        return False
    if _WEBANNO.match(source.text):
        return True
    lines = source.text[: 2**16].splitlines()[:_LOOK]
    filled = [line for line in lines if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    if len(filled) < 2:
        return False
    spans = [line for line in filled if re.match(r"[TREMAN*]\d*\t", line)]
    if len(spans) == len(filled) and any(map(_SPAN.fullmatch, filled)):
        return True
    cells = [line.split("\t") if "\t" in line else line.split() for line in filled]
    tags = [row[-1].strip() for row in cells]
    same = len({len(row) for row in cells}) == 1 and len(cells[0]) > 1
    return same and all(map(_TAG.fullmatch, tags)) and any(tag != "O" for tag in tags)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Raise the reason why labels of words are no annotations here.

    Raises:
        DataError: always.
    """
    raise DataError(
        "the lines label words or spans: parts of a text, not the whole item",
        where=source.name,
        expected="one label of the whole text by each annotator",
        todo="export labels of whole texts, such as a document's or a sentence's; or write a table "
        "with a row per text and annotator",
    )


FORMAT = Format(
    name="token-labels",
    title="Labels of words",
    description="WebAnno and INCEpTION (TSV), CoNLL and brat, which label words or spans; refused, "
    "because a label here is one of a whole text",
    read=read,
    matches=matches,
    sign="'#FORMAT=WebAnno', lines that end in tags such as 'B-PER' or 'O', or lines of spans",
    general=True,
)
