"""The words of the import form, and errors of the reader in these words."""

from __future__ import annotations

import re

from capo_core.errors import CapoError

NOT_IN_FILE = "Not in file"
ENCODING = "Text encoding"
SHEET = "Sheet"
SEVERAL_LABELS = "Several labels in a cell"
NOBODY = "Annotator of rows that name nobody"
QUESTIONS = "Choose label, explanation and texts"  # where a tool's questions are chosen
FIELD_TITLES = {
    "item_id": "Item",
    "annotator_id": "Annotator",
    "label": "Label",
    "explanation": "Explanation",
    "text_a": "First text",
    "text_b": "Second text",
    "valid": "Validation round",
    "split": "Split",
}
# "label" and "split" are words of sentences too; the others occur as names of roles only.
_ROLES = re.compile(r"\b(item_id|annotator_id|annotation_id|text_a|text_b)\b(?!\s*=)")


def in_form_words(error: CapoError) -> CapoError:
    """Return the error with the titles of the form's fields in place of the names of roles."""
    titles = FIELD_TITLES | {"annotation_id": "annotation identifier"}

    def told(text: str | None) -> str | None:
        return None if text is None else _ROLES.sub(lambda match: titles[match[1]], text)

    todo = told(error.todo)
    if todo and re.search(r"questions could be the (label|explanation)", error.what):
        todo = f"{todo} (above, in “{QUESTIONS}”)"
    for option, field in (
        ("--label-sets", SEVERAL_LABELS),
        ("--annotator NAME", NOBODY),
        ("--encoding", ENCODING),
        ("--sheet", SHEET),
    ):
        if todo and error.option and error.option.startswith(option):
            todo = f"{todo} (above, in “{field}”)"
    return type(error)(
        told(error.what) or "",
        where=error.where,
        expected=told(error.expected),
        todo=todo,
        option=error.option,
    )
