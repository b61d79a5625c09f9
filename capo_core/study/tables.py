"""The tables of a blind study: shown to judges, sealed, and the judgments.

A *study* has *trials*; a trial shows *texts* in *slots*; each text has a hidden *source*; a
*judge* gives one judgment per trial assigned. The tables are apart because the readers are: TRIALS,
TEXTS, CARDS, ASSIGNMENTS and FEEDBACK are all that the judge's path may read, and nothing in them
tells a source (FEEDBACK speaks of practice trials only); SEALED is read by the owner, after the
study is closed; JUDGMENTS is what the analysis gets, made by joining the answers with SEALED.

Identifiers are text and random (`T3f9a…`, `X81c0…`): neither an identifier nor the order of rows
tells a source. Columns said to be JSON hold it as compact text, see `as_cell` and `from_cell`.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from capo_core.errors import DataError
from capo_core.json_text import canonical_json
from capo_core.schema import Table, TableColumn

# Trial kinds; `trial_kinds.TRIAL_KINDS` says all about each.
ATTRIBUTION = "attribution"  # who of these annotators wrote the text or texts?
COMPARISON = "comparison"  # which of two texts is the named target's?
REASONING = "reasoning"  # does the text reason like the target's own, 1 to 5?

PRACTICE = "practice"
MAIN = "main"
PHASES = (PRACTICE, MAIN)
CHECK = "check"  # human texts, right answer known: is the judge attending?
MIRROR = "mirror"  # a trial shown a second time, sides turned
PURPOSES = (MAIN, CHECK, MIRROR, PRACTICE)

HUMAN = "human"  # the target's own text
OTHER_HUMAN = "other_human"  # another annotator's text on the same item

CANNOT_TELL = "cannot_tell"
TIE = "tie"
REASONING_ANSWERS = ("1", "2", "3", "4", "5")
CONFIDENCES = ("1", "2", "3", "4", "")
SIDES = ("left", "right", "")
LAYOUTS = ("side_by_side", "stacked")  # how the browser showed the two texts of a comparison

TRIALS = Table(
    "trials",
    ("trial_id",),
    (
        TableColumn("trial_id", "text", "identifier of the trial", required=True),
        TableColumn("kind", "text", "what is asked, a name of TRIAL_KINDS", required=True),
        TableColumn("phase", "text", "practice comes first, with feedback", PHASES, required=True),
        TableColumn("item_id", "text", "the item; of a pool, the first text's item", required=True),
        TableColumn(
            "target_annotator_id", "text", "whom the question names; empty for attribution"
        ),
        TableColumn(
            "text_ids",
            "text",
            "JSON list by slot. attribution: the 1 to k texts of one pool, each of another item; "
            "comparison: two texts; reasoning: the text judged, then the target's own (reference)",
            required=True,
        ),
    ),
)
TEXTS = Table(
    "texts",
    ("text_id",),
    (
        TableColumn("text_id", "text", "identifier of the text", required=True),
        TableColumn("item_id", "text", "the item it answers", required=True),
        TableColumn("text_a", "text", "the item's first text, as shown", required=True),
        TableColumn("text_b", "text", "the item's second text; empty where there is one"),
        TableColumn("label", "text", "the label as shown, one word for all sources", required=True),
        TableColumn("explanation", "text", "as shown, after format is made equal", required=True),
    ),
)
CARDS = Table(
    "cards",
    ("annotator_id",),
    (
        TableColumn(
            "annotator_id", "text", "whose card it is; a judge sees a letter", required=True
        ),
        TableColumn(
            "examples",
            "text",
            "JSON list of [text_a, text_b, label, explanation] from the training split",
            required=True,
        ),
    ),
)
SEALED = Table(
    "sealed",
    ("trial_id", "slot"),
    (
        TableColumn("trial_id", "text", "the trial", required=True),
        TableColumn("slot", "count", "place in the trial's text_ids: 0, 1, …"),
        TableColumn("text_id", "text", "the text in that slot", required=True),
        TableColumn(
            "source",
            "text",
            "'human', 'other_human' or the name of a method; a reasoning trial's reference, "
            "slot 1, is always 'human'",
            required=True,
        ),
        TableColumn(
            "annotator_id",
            "text",
            "who wrote a human text; whom a method imitates",
            required=True,
        ),
        TableColumn("run_id", "text", "the run that wrote it; empty for humans"),
        TableColumn("purpose", "text", "what the trial is for", PURPOSES, required=True),
        TableColumn("mirror_of", "text", "the trial it repeats; empty unless purpose is 'mirror'"),
        TableColumn(
            "truth",
            "text",
            "the right answer, the same in all slots. attribution: who wrote it, or whom the "
            "method imitates; comparison of a check or practice: 'a' or 'b'; reasoning of a check "
            "or practice: '1' (a text on another item); else empty",
        ),
    ),
)
ASSIGNMENTS = Table(
    "assignments",
    ("judge_slot", "trial_id"),
    (
        TableColumn("judge_slot", "text", "J01, J02, …: an invited judge gets one", required=True),
        TableColumn("trial_id", "text", "a trial this judge is to see", required=True),
        TableColumn("position", "count", "1, 2, … in this judge's sequence, practice first"),
        TableColumn(
            "order",
            "text",
            'JSON {"cards": [annotator ids as shown], "slots": [slots as shown]}: the cards are in '
            "one order for all attributions of a judge (letter A is the first); a comparison shows "
            "the target's card, reasoning none (its reference is the target's own text)",
            required=True,
        ),
    ),
)
FEEDBACK = Table(
    "feedback",
    ("trial_id",),
    (
        TableColumn("trial_id", "text", "a practice trial", required=True),
        TableColumn("answer", "text", "its right answer, coded as in judgments", required=True),
        TableColumn(
            "note", "text", "one sentence shown after the judge has answered", required=True
        ),
    ),
)
JUDGMENTS = Table(
    "judgments",
    ("study_id", "judge_id", "trial_id"),
    (
        TableColumn("study_id", "text", "the study", required=True),
        TableColumn("judge_id", "text", "who judged", required=True),
        TableColumn("trial_id", "text", "what was judged", required=True),
        TableColumn("kind", "text", "what was asked, a name of TRIAL_KINDS", required=True),
        TableColumn("purpose", "text", "what the trial is for", PURPOSES, required=True),
        TableColumn("mirror_of", "text", "the trial it repeats; empty unless a mirror"),
        TableColumn("item_id", "text", "the item; of a pool, the first text's", required=True),
        TableColumn(
            "target_annotator_id", "text", "whom the question named; empty for attribution"
        ),
        TableColumn("source_a", "text", "comparison: source of stored slot 0; else empty"),
        TableColumn("source_b", "text", "comparison: source of stored slot 1; else empty"),
        TableColumn("source", "text", "attribution and reasoning: source of the text; else empty"),
        TableColumn("truth", "text", "the right answer where there is one, as in sealed"),
        TableColumn(
            "displayed",
            "text",
            "JSON {cards, slots}: the order as shown; with layout, 'side_by_side' or 'stacked', "
            "where two texts were shown",
            required=True,
        ),
        TableColumn(
            "answer",
            "text",
            "attribution: annotator_id or 'cannot_tell'; comparison: 'a', 'b' (stored slots) or "
            "'tie'; reasoning: '1' to '5'",
            required=True,
        ),
        TableColumn("side", "text", "which side of the screen was chosen, in a comparison", SIDES),
        TableColumn(
            "confidence", "text", "1 (a guess) to 4 (certain); empty if unasked", CONFIDENCES
        ),
        TableColumn("reason", "text", "the judge's words; may be empty"),
        TableColumn("words_a", "count", "comparison: words of stored slot 0; else 0"),
        TableColumn("words_b", "count", "comparison: words of stored slot 1; else 0"),
        TableColumn(
            "words", "count", "words of all texts judged in the trial, a reference left out"
        ),
        TableColumn("duration_s", "number", "seconds from first shown to the answer that stands"),
        TableColumn("answered", "text", "ISO time, UTC, of the answer that stands", required=True),
        TableColumn("changes", "count", "how often the answer was changed"),
    ),
)
SHOWN = (TRIALS, TEXTS, CARDS, ASSIGNMENTS, FEEDBACK)  # all that a judge's path may read


def as_cell(value: Any) -> str:
    """Return `value` as the compact JSON of a table's cell; the same value gives the same text."""
    return canonical_json(value)


def from_cell(cell: str, *, where: str = "") -> Any:
    """Read what `as_cell` wrote; `DataError` where the cell does not hold JSON."""
    try:
        return json.loads(cell)
    except (TypeError, ValueError):
        raise DataError(
            f"found {str(cell)[:60]!r}", where=where or "a table of a study", expected="JSON"
        ) from None


def frame_of(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame with the table's columns in order, also without any row."""
    frame = pd.DataFrame(rows, columns=table.names)
    for column in table.columns:
        if column.kind == "count":
            frame[column.name] = frame[column.name].astype("int64")
        elif column.kind == "number":
            frame[column.name] = frame[column.name].astype("float64")
        else:
            frame[column.name] = frame[column.name].astype(object)
    return frame
