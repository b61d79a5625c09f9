"""Leaks: what would reveal a source, found before anyone judges, with the trials it is in.

Two kinds of looking: at each text alone (`sources.leaks_in_text`), and at all texts together, for
what only one source does. The second finds what no list of words could: a label word, a length, an
ending or a phrase that belongs to one source and to nobody else in the study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, mannwhitneyu

from capo_core.dataset import Dataset
from capo_core.formatting import Named, Statement
from capo_core.study.design.draft import Draft, leak_markers_of
from capo_core.study.design.sources import leaks_in_text
from capo_core.study.tables import MIRROR
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.text.tokens import normalise, words

LEAST = 5  # texts of a source below which nothing is said of it as a whole
GAP = 0.5  # a habit that one source has in so much larger a share of texts than people do
LONGER = 0.85  # how often a random text of a source is longer than a random human text
LEVEL = 0.01  # of the tests of sources, divided by the number of tests (Bonferroni)

KIND_TITLES = {
    "name": "Name",
    "boilerplate": "Boilerplate",
    "format": "Formatting",
    "length": "Length",
    "card_copy": "Copy of a reference card",
    "duplicate": "Duplicate",
    "label_word": "Label word",
    "habit": "Source-specific phrase",
}
TODO = {
    "name": "exclude such texts (leave_out: name), or remove the name from the data",
    "boilerplate": "exclude such texts (leave_out: boilerplate), or generate again",
    "format": "exclude such texts (leave_out: format), or generate again",
    "length": "ask the method for shorter answers, or exclude extremes (leave_out: length)",
    "card_copy": "exclude such texts (leave_out: card_copy): a judge only has to find the copy",
    "duplicate": "draw again with another seed; where a method always says the same, report it: "
    "judges will learn its phrase",
    "label_word": "use the same label words in all sources, or remove the source",
    "habit": "it may be style, which is what is judged; if it is an artefact of the model, "
    "generate again or remove the source",
}
HABITS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("ends without a final mark", lambda text: text[-1:] not in tuple(".!?\"')")),
    ("begins with a small letter", lambda text: text[:1].islower()),
    ("is all in small letters", lambda text: any(map(str.isalpha, text)) and text == text.lower()),
    ("has characters beyond ASCII", lambda text: not text.isascii()),
    ("has a colon", lambda text: ":" in text),
    ("has a quotation mark", lambda text: '"' in text),
    ("has a dash between words", lambda text: " - " in text or "–" in text or "—" in text),
)


@dataclass(frozen=True)
class Leak:
    """One thing in one text that would reveal its source to a judge.

    Attributes:
        slot: the text's stored slot in the trial.
        kind: a key of `TODO`.
        statement: what it is, in one sentence without a final period.
        todo: what can be done.
        source: whose text it is; for the owner's eyes alone.
        text_id: the text.
    """

    trial_id: str
    slot: int
    kind: str
    statement: Statement = field(hash=False)
    todo: str
    source: str
    text_id: str

    @property
    def words(self) -> str:
        """The sentence with sources named as in the data."""
        return self.statement.text

    def to_dict(self) -> dict[str, Any]:
        """Return the leak as JSON writes it."""
        raw = {each.name: getattr(self, each.name) for each in fields(self)}
        return raw | {"statement": self.statement.to_dict(), "words": self.words}


def find_leaks(draft: Draft, dataset: Dataset) -> list[Leak]:
    """Find everything that would reveal a source, ordered by kind, trial and slot.

    Sources are compared with people's texts (human and other_human together): what a source's
    texts do in a share that is larger by 0.5 or more, and significantly so (Fisher's exact test),
    would tell it; so would being longer or shorter than human texts in 85 % of random pairs
    (Mann–Whitney). Sources of fewer than 5 different texts are only looked at text by text.
    """
    shown = _shown(draft)
    marks = leak_markers_of(dataset, draft.config, draft.cards)
    found = [
        _leak(row, kind, statement)
        for row in shown.itertuples()
        for kind, statement in leaks_in_text(row.explanation, marks)
    ]
    found += _duplicates(shown)
    found += _twice(draft, shown)
    found += _label_words(shown, dataset)
    found += _habits(shown)
    found += _lengths(shown)
    return sorted(set(found), key=lambda leak: (leak.kind, leak.trial_id, leak.slot, leak.words))


def _shown(draft: Draft) -> pd.DataFrame:
    """Return each text with its trial and source; references and repeats left out.

    A reference is said to be the target's own, and a repeat has what its original has.
    """
    kinds = draft.trials.set_index("trial_id")["kind"]
    frame = draft.sealed.merge(
        draft.texts[["text_id", "label", "explanation"]], on="text_id", how="left"
    )
    frame["kind"] = frame["trial_id"].map(kinds)
    reference_slots = frame["kind"].map(lambda kind: TRIAL_KINDS[kind].reference_slot)
    reference = frame["slot"] == reference_slots
    frame = frame[~reference & (frame["purpose"] != MIRROR)].reset_index(drop=True)
    frame["words"] = [len(words(text)) for text in frame["explanation"]]
    frame["person"] = frame["run_id"] == ""
    return frame


def _leak(row, kind: str, statement: Statement) -> Leak:
    return Leak(row.trial_id, int(row.slot), kind, statement, TODO[kind], row.source, row.text_id)


def _duplicates(shown: pd.DataFrame) -> Iterator[Leak]:
    """Yield texts of one trial that say the same."""
    key = shown["explanation"].map(normalise)
    for _, rows in shown.groupby([shown["trial_id"], key], sort=False):
        if len(rows) > 1:
            paired = TRIAL_KINDS[rows["kind"].iloc[0]].paired
            what = "both texts" if paired else "texts of the pool"
            statement = Statement.plain("duplicate", f"{what} say the same")
            for row in rows.itertuples():
                yield _leak(row, "duplicate", statement)


def _twice(draft: Draft, shown: pd.DataFrame) -> Iterator[Leak]:
    """Yield texts of a method that one judge sees in several trials: a phrase that can be learned.

    People's repeated phrases are their manner, which is what is judged.
    """
    machine = shown[~shown["person"]].assign(key=lambda rows: rows["explanation"].map(normalise))
    seen = draft.assignments[["judge_slot", "trial_id"]].merge(machine, on="trial_id")
    trials: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (_, source, key), rows in seen.groupby(["judge_slot", "source", "key"], sort=False):
        found = set(rows["trial_id"])
        if len(found) > 1:
            trials[source, key] |= found
    for row in machine.itertuples():
        others = trials.get((row.source, row.key), set()) - {row.trial_id}
        if others:
            template = "judges meet the same text in {n:,} other trial" + "s" * (len(others) > 1)
            yield _leak(row, "duplicate", Statement("duplicate", template, {"n": len(others)}))


def _label_words(shown: pd.DataFrame, dataset: Dataset) -> Iterator[Leak]:
    """Yield words of labels that only one source uses, and labels that are not on the scale."""
    scale = dataset.task.scale.labels
    for row in shown[~shown["label"].isin(scale)].itertuples():
        template = "the label {label!r} is not a word of the scale"
        yield _leak(row, "label_word", Statement("label_word", template, {"label": row.label}))
    named = {label.lower() for label in scale if not dataset.task.scale.ordinal}
    named |= {"label", "answer", "annotator", "explanation"}
    sources = shown["source"].nunique()
    uses = {word: shown["explanation"].map(lambda t, w=word: w in words(t)) for word in named}
    for word, used in sorted(uses.items()):
        users = shown.loc[used, "source"].unique()
        if sources > 1 and len(users) == 1 and used.sum() >= 2:
            template = "only {source} uses the word {word!r}"
            for row in shown[used].itertuples():
                values = {"source": Named("source", row.source), "word": word}
                yield _leak(row, "label_word", Statement("label_word", template, values))


def _habits(shown: pd.DataFrame) -> Iterator[Leak]:
    people = _each_once(shown[shown["person"]])
    methods = {name: _each_once(rows) for name, rows in shown[~shown["person"]].groupby("source")}
    methods = {name: rows for name, rows in methods.items() if len(rows) >= LEAST}
    if len(people) < LEAST:
        return
    tests = len(HABITS) * len(methods)
    for what, has in HABITS:
        theirs = people["explanation"].map(has)
        for name, rows in methods.items():
            own = rows["explanation"].map(has)
            # Also never doing what people do often tells a source.
            for does, share, other in ((True, own, theirs), (False, ~own, ~theirs)):
                if share.mean() - other.mean() < GAP:
                    continue
                table = [[share.sum(), (~share).sum()], [other.sum(), (~other).sum()]]
                if fisher_exact(np.array(table)).pvalue * tests >= LEVEL:
                    continue
                statement = Statement(
                    "habit",
                    "{share:percent} of {n:,} texts of {source} are like this one, which "
                    f"{'' if does else 'does not: '}{{habit}}; of {{n_people:,}} human texts "
                    "{people:percent}",
                    {
                        "share": float(share.mean()), "n": len(rows), "habit": what,
                        "source": Named("source", name), "n_people": len(people),
                        "people": float(other.mean()),
                    },
                )  # fmt: skip
                alike = shown[(shown["source"] == name) & (shown["explanation"].map(has) == does)]
                for row in alike.itertuples():
                    yield _leak(row, "habit", statement)


def _lengths(shown: pd.DataFrame) -> Iterator[Leak]:
    people = _each_once(shown[shown["person"]])["words"]
    methods = [(n, r) for n, r in shown[~shown["person"]].groupby("source") if len(r) >= LEAST]
    if len(people) < LEAST:
        return
    for name, rows in methods:
        own = _each_once(rows)["words"]
        if len(own) < LEAST:
            continue
        test = mannwhitneyu(own, people)
        longer = float(test.statistic) / (len(own) * len(people))
        if max(longer, 1 - longer) < LONGER or test.pvalue * len(methods) >= LEVEL:
            continue
        side = "longer" if longer > 0.5 else "shorter"
        statement = Statement(
            "length",
            f"a text of {{source}} is {side} than a human one in {{share:percent}} of random pairs "
            "(medians {own:.0f} and {people:.0f} words)",
            {
                "source": Named("source", name), "share": max(longer, 1 - longer),
                "own": float(own.median()), "people": float(people.median()),
            },
        )  # fmt: skip
        limit = people.median()
        telling = rows[rows["words"] > limit] if longer > 0.5 else rows[rows["words"] < limit]
        for row in telling.itertuples():
            yield _leak(row, "length", statement)


def _each_once(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the different texts of each source: the same one in two trials is not two texts."""
    return rows.drop_duplicates(["source", "explanation"])


def summary(leaks: Iterable[Leak]) -> dict[str, int]:
    """Return how many texts show each kind of leak, the most frequent first."""
    texts: dict[str, set[str]] = defaultdict(set)
    for leak in leaks:
        texts[leak.kind].add(leak.text_id)
    return {kind: len(found) for kind, found in sorted(texts.items(), key=lambda x: -len(x[1]))}
