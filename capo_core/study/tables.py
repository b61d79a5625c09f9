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
from capo_core.schema import Column, Table

# Kinds of trial; `trial_kinds.TRIAL_KINDS` says all about each.
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

TRIALS = Table(
    "trials",
    ("trial_id",),
    (
        Column("trial_id", "text", "identifier of the trial", required=True),
        Column("kind", "text", "what is asked, a name of TRIAL_KINDS", required=True),
        Column("phase", "text", "practice comes first, with feedback", PHASES, required=True),
        Column("item_id", "text", "the item; of a pool, the first text's item", required=True),
        Column("target_annotator_id", "text", "whom the question names; empty for attribution"),
        Column(
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
        Column("text_id", "text", "identifier of the text", required=True),
        Column("item_id", "text", "the item it answers", required=True),
        Column("text_a", "text", "the item's first text, as shown", required=True),
        Column("text_b", "text", "the item's second text; empty where there is one"),
        Column("label", "text", "the label as shown, one word for all sources", required=True),
        Column("explanation", "text", "as shown, after format is made equal", required=True),
    ),
)
CARDS = Table(
    "cards",
    ("annotator_id",),
    (
        Column("annotator_id", "text", "whose card it is; a judge sees a letter", required=True),
        Column(
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
        Column("trial_id", "text", "the trial", required=True),
        Column("slot", "count", "place in the trial's text_ids: 0, 1, …"),
        Column("text_id", "text", "the text in that slot", required=True),
        Column(
            "source",
            "text",
            "'human', 'other_human' or the name of a method; a reasoning trial's reference, "
            "slot 1, is always 'human'",
            required=True,
        ),
        Column(
            "annotator_id",
            "text",
            "who wrote a human text; whom a method imitates",
            required=True,
        ),
        Column("run_id", "text", "the run that wrote it; empty for humans"),
        Column("purpose", "text", "what the trial is for", PURPOSES, required=True),
        Column("mirror_of", "text", "the trial it repeats; empty unless purpose is 'mirror'"),
        Column(
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
        Column("judge_slot", "text", "J01, J02, …: an invited judge gets one", required=True),
        Column("trial_id", "text", "a trial this judge is to see", required=True),
        Column("position", "count", "1, 2, … in this judge's sequence, practice first"),
        Column(
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
        Column("trial_id", "text", "a practice trial", required=True),
        Column("answer", "text", "its right answer, coded as in judgments", required=True),
        Column("note", "text", "one sentence shown after the judge has answered", required=True),
    ),
)
JUDGMENTS = Table(
    "judgments",
    ("study_id", "judge_id", "trial_id"),
    (
        Column("study_id", "text", "the study", required=True),
        Column("judge_id", "text", "who judged", required=True),
        Column("trial_id", "text", "what was judged", required=True),
        Column("kind", "text", "what was asked, a name of TRIAL_KINDS", required=True),
        Column("purpose", "text", "what the trial is for", PURPOSES, required=True),
        Column("mirror_of", "text", "the trial it repeats; empty unless a mirror"),
        Column("item_id", "text", "the item; of a pool, the first text's", required=True),
        Column("target_annotator_id", "text", "whom the question named; empty for attribution"),
        Column("source_a", "text", "comparison: source of stored slot 0; else empty"),
        Column("source_b", "text", "comparison: source of stored slot 1; else empty"),
        Column("source", "text", "attribution and reasoning: source of the text; else empty"),
        Column("truth", "text", "the right answer where there is one, as in sealed"),
        Column("displayed", "text", "JSON {cards, slots}: the order as shown", required=True),
        Column(
            "answer",
            "text",
            "attribution: annotator_id or 'cannot_tell'; comparison: 'a', 'b' (stored slots) or "
            "'tie'; reasoning: '1' to '5'",
            required=True,
        ),
        Column("side", "text", "which side of the screen was chosen, in a comparison", SIDES),
        Column("confidence", "text", "1 (a guess) to 4 (certain); empty if unasked", CONFIDENCES),
        Column("reason", "text", "the judge's words; may be empty"),
        Column("words_a", "count", "comparison: words of stored slot 0; else 0"),
        Column("words_b", "count", "comparison: words of stored slot 1; else 0"),
        Column("words", "count", "words of all texts judged in the trial, a reference left out"),
        Column("duration_s", "number", "seconds from first shown to the answer that stands"),
        Column("answered", "text", "ISO time, UTC, of the answer that stands", required=True),
        Column("changes", "count", "how often the answer was changed"),
    ),
)
SHOWN = (TRIALS, TEXTS, CARDS, ASSIGNMENTS, FEEDBACK)  # all that a judge's path may read


def as_cell(value: Any) -> str:
    """Return `value` as the compact JSON of a table's cell; the same value gives the same text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


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
