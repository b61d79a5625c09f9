"""Annotators of an import who by their names are no people: aggregates of labels, and models."""

from __future__ import annotations

import re
from collections.abc import Sequence

from capo_core.data.column_names import aggregates_among, normalised_name
from capo_core.formatting import quoted_names

# In each note; pages show such a note as a warning.
DOUBTFUL = "imported as annotators like any other"
_MODELS = re.compile(
    r"(?:.*_)?(?:(?:chat)?gpt|llama|gemini|gemma|mi[sx]tral|mixtral|qwen|deepseek|llms?|palm_?2|bard"
    r"|davinci|roberta|deberta|claude(?=_?\d|_(?:opus|sonnet|haiku|instant)))(?![^\W\d_]).*"
)


def names_model(name: str) -> bool:
    """Return whether an annotator's name is that of a language model.

    >>> names_model("gpt4"), names_model("Llama-3.1-8B"), names_model("Claude"), names_model("bert")
    (True, True, False, False)
    """
    return bool(_MODELS.fullmatch(normalised_name(name)))


def doubtful_annotators(annotators: Sequence[str]) -> list[str]:
    """Return notes on annotators who by their names are aggregates or models; [] if none is.

    Where all are, as in a comparison of models, nothing is doubtful.

    >>> doubtful_annotators(["ann", "ben", "gold"])[0][:47]
    "by its name no person, but an aggregate: 'gold'"
    """
    aggregates = aggregates_among(annotators)
    models = [name for name in annotators if name not in aggregates and names_model(name)]
    notes = []
    for found, one, several in (
        (aggregates, "an aggregate", "aggregates or metadata"),
        (models, "a language model", "language models"),
    ):
        if not 0 < len(found) < len(annotators):
            continue
        single = len(found) == 1
        what = f"by its name no person, but {one}" if single else (
            f"by their names no people, but {several}"
        )  # fmt: skip
        rows = "its rows (or its column)" if single else "their rows (or their columns)"
        notes.append(
            f"{what}: {quoted_names(found)}; {DOUBTFUL}. To leave {'it' if single else 'them'} "
            f"out, delete {rows} in the file and import it again"
        )
    return notes
