"""The trials of an unblinded study: their texts with the sources, and what judges answered.

Everything here is made from two frames of the owner's service, JUDGMENTS (`export_judgments`) and
TRIAL_TEXTS (`export_texts`); both are refused until the study was unblinded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Connection, select

from capo_core.errors import StudyError
from capo_core.formatting import count, natural_order
from capo_core.study.source_names import inside, pair_name, source_name
from capo_core.study.store import models
from capo_core.study.store.sealed import sealed_sources
from capo_core.study.tables import CANNOT_TELL, PRACTICE, TIE, from_cell
from capo_core.study.trial_kinds import trial_kind

TRIAL_TEXTS = (
    "trial_id",
    "slot",  # place in the trial: 0, 1, …; of a comparison 0 is "a" and 1 is "b"
    "kind",
    "purpose",
    "mirror_of",
    "item_id",
    "target_annotator_id",  # whom the question named; empty for attribution
    "source",
    "annotator_id",  # who wrote a human text; whom a method imitates
    "run_id",  # empty for humans
    "text_a",  # the item's texts, as shown
    "text_b",
    "label",
    "explanation",
    "truth",  # the right answer, the same in all slots; empty where there is none
)
TRIALS_OF_STUDY = (
    "trial_id",
    "kind",
    "purpose",
    "mirror_of",
    "item_id",
    "target_annotator_id",
    "source_a",  # comparison: source of stored slot 0; else empty
    "source_b",
    "source",  # attribution and reasoning; else empty
    "truth",
    "judgments",
    "right",  # how many of them name the truth; missing where there is none
    "answers",  # in words: "A ×2, cannot tell ×1"
)
# Columns of one text, numbered by its slot from 1 on, in a table with a row a judgment or a trial.
_OF_TEXT = {
    "item_id": "item",
    "text_a": "text_a",
    "text_b": "text_b",
    "label": "label",
    "explanation": "explanation",
    "annotator_id": "annotator",
    "run_id": "run",
}


def texts_frame(connection: Connection, study_id: str) -> pd.DataFrame:
    """Return the frame TRIAL_TEXTS, a row a text in its slot, sorted by trial and slot.

    Raises:
        StudyError: a text of the study is missing.
    """

    def rows(table):
        return connection.execute(select(table).where(table.c.study_id == study_id)).all()

    trials = {row.trial_id: row for row in rows(models.trials)}
    texts = {row.text_id: row for row in rows(models.texts)}
    found = []
    for sealed in sorted(rows(sealed_sources), key=lambda row: (row.trial_id, row.slot)):
        trial, text = trials.get(sealed.trial_id), texts.get(sealed.text_id)
        if trial is None or text is None:
            raise StudyError(f"the trial {sealed.trial_id} has lost a text", where=study_id)
        found.append(
            (
                sealed.trial_id, sealed.slot, trial.kind, sealed.purpose, sealed.mirror_of,
                text.item_id, trial.target_annotator_id, sealed.source, sealed.annotator_id,
                sealed.run_id, text.text_a, text.text_b, text.label, text.explanation,
                sealed.truth,
            )
        )  # fmt: skip
    return pd.DataFrame(found, columns=list(TRIAL_TEXTS))


def with_texts(rows: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with what each trial showed: item_1, text_a_1, …, explanation_1, run_1, and the
    same of every further slot.

    Args:
        rows: a row a judgment, or a trial; with the column trial_id.
        texts: TRIAL_TEXTS. Text 1 of a comparison is "a", text 2 is "b".
    """
    made = rows
    for slot in sorted(set(texts.loc[texts["trial_id"].isin(rows["trial_id"]), "slot"])):
        of_slot = texts[texts["slot"] == slot].set_index("trial_id")[list(_OF_TEXT)]
        named = of_slot.rename(columns={old: f"{new}_{slot + 1}" for old, new in _OF_TEXT.items()})
        made = made.join(named, on="trial_id")
        made[list(named)] = made[list(named)].fillna("")
    return made


def trials_of(judgments: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Return the frame TRIALS_OF_STUDY, a row a trial, practice left out unless it was judged.

    Args:
        judgments: JUDGMENTS. texts: TRIAL_TEXTS.
    """
    answered = dict(list(judgments.groupby("trial_id", sort=False)))
    rows = []
    for trial_id, slots in texts.groupby("trial_id", sort=False):
        first, given = slots.iloc[0], answered.get(trial_id)
        if first["purpose"] == PRACTICE and given is None:
            continue
        kind = trial_kind(first["kind"])
        sources = kind.describe_texts(list(slots["source"]), [0] * len(slots))
        right = None
        if first["truth"] and given is not None:
            right = int(kind.check_passed(given["answer"], given["truth"]).sum())
        rows.append(
            (
                trial_id, first["kind"], first["purpose"], first["mirror_of"], first["item_id"],
                first["target_annotator_id"], sources["source_a"], sources["source_b"],
                sources["source"], first["truth"], 0 if given is None else len(given), right,
                "" if given is None else answers_in_words(given),
            )
        )  # fmt: skip
    made = pd.DataFrame(rows, columns=list(TRIALS_OF_STUDY))
    return made.assign(right=made["right"].astype("Int64"))


def answers_in_words(judgments: pd.DataFrame) -> str:
    """Return the answers to one trial with their counts, the most frequent first and equal counts
    by name, whoever answered first: "A ×2, cannot tell ×1"."""
    counted = Counter(map(answer_in_words, judgments.to_dict("records")))
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{words} ×{n}" for words, n in ordered)


def answer_in_words(judgment: dict) -> str:
    """Return one answer; of a comparison, the source of the chosen text."""
    answer = judgment["answer"]
    if answer in (CANNOT_TELL, TIE):
        return {CANNOT_TELL: "cannot tell", TIE: "tie"}[answer]
    if judgment["source_a"] and answer in ("a", "b"):
        return inside(judgment[f"source_{answer}"])
    return answer


def sources_in_words(trial: dict) -> str:
    """Return the hidden source of a trial, or the two of a comparison.

    Args:
        trial: a row of TRIALS_OF_STUDY or JUDGMENTS.
    """
    if trial["source_a"]:
        return pair_name(trial["source_a"], trial["source_b"])
    return source_name(trial["source"])


def cards_of(kind: str, target: str, cards: pd.DataFrame) -> dict[str, list[list[str]]]:
    """Return annotator → examples (text_a, text_b, label, explanation) of the reference cards that
    a trial showed; judges saw them without the annotator's name.

    Args:
        target: whom the question named; "" for attribution. cards: CARDS of the study.
    """
    examples = cards.set_index("annotator_id")["examples"]
    return {
        name: from_cell(examples[name])
        for name in trial_kind(kind).cards(target, natural_order(examples.index))
        if name in examples.index
    }


def trial_lines(texts: pd.DataFrame, judgments: pd.DataFrame, cards: pd.DataFrame) -> Iterable[str]:
    """Yield one trial in lines: its item, texts with their sources, reference cards, and every
    answer.

    Args:
        texts: its rows of TRIAL_TEXTS. judgments: its rows of JUDGMENTS. cards: CARDS of the study.
    """
    first = texts.iloc[0]
    kind = trial_kind(first["kind"])
    yield f"{kind.title} ({first['purpose']}, target {first['target_annotator_id'] or 'unnamed'})"
    for number, text in enumerate(texts.itertuples(index=False), 1):
        run = f", run {text.run_id}" if text.run_id else ""
        yield f"Text {number}: {source_name(text.source)} ({text.annotator_id}{run})"
        yield f"  item {text.item_id}: {' / '.join(filter(None, (text.text_a, text.text_b)))}"
        yield f"  {text.label}: {text.explanation}"
    for name, examples in cards_of(first["kind"], first["target_annotator_id"], cards).items():
        yield f"Reference card of {name}, as judges saw it:"
        for text_a, text_b, label, explanation in examples:
            yield f"  {' / '.join(filter(None, (text_a, text_b)))}: {label}: {explanation}"
    if first["truth"]:
        yield f"Right answer: {first['truth']}"
    yield f"{count(len(judgments), 'judgment')}:"
    for row in judgments.to_dict("records"):
        sure = f", confidence {row['confidence']}" if row["confidence"] else ""
        why = f"; “{row['reason']}”" if row["reason"] else ""
        yield f"  {row['judge_id']}: {answer_in_words(row)}{sure}, {row['duration_s']:.0f} s{why}"
