"""Annotator profiles: label use, wording, and typical and atypical explanations.

Each sentence of a profile is generated from the numbers beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.formatting import (
    Statement,
    number,
    number_interval,
    percent,
    percent_interval,
    rate,
)
from capo_core.stability import phrases as stability_phrases
from capo_core.stability.label_use import AnnotatorLabels, LabelUse, label_use
from capo_core.stability.phrases import (
    ExplanationPhrases,
    PhrasePrior,
    extract_phrases,
    without_one,
)
from capo_core.stats.intervals import json_value, wilson
from capo_core.text.segmentation import as_written
from capo_core.text.stylometry import PER_TEXT

MIN_LABELS = 10  # with fewer annotations a profile does not describe label use
MIN_EXPLANATIONS = 10  # with fewer a profile has no numbers on wording
SMALL = 0.2  # standard deviations: Cohen's (1988) "small" difference; less is not listed
MARKS = {
    ",": "a comma", ".": "a full stop inside", ";": "a semicolon", ":": "a colon",
    '"': "a quotation mark", "'": "a single quotation mark", "(": "an opening bracket",
    ")": "a closing bracket", "-": "a dash", "/": "a slash", "?": "a question mark inside",
}  # fmt: skip
_MEAN = "Mean label "  # how the statement on mean labels begins
MOST_LABELS = 4  # labels that differ named in the sentences; of more, their number
LENGTH = {"length_words", "length_characters"}  # has its own place in the profile


@dataclass(frozen=True)
class ExplanationLength:
    """Words per explanation: the median, the quartiles, and the others' median."""

    median: float
    low_quarter: float
    high_quarter: float
    others: float


@dataclass(frozen=True)
class Cue:
    """A phrase or a style feature that distinguishes the annotator.

    Attributes:
        kind: "phrase" or "habit" (a style feature).
        name: the phrase, or the feature's name in `stylometry`.
        text: in words.
        own, others: its frequency, in `unit`.
        strength: log-odds (phrase) or difference in standard deviations (style feature), above 0
            where the annotator uses it more; `low` and `high` are its 95 % interval.
        n, n_others: explanations behind `own` and `others`; 0 in profiles of earlier versions.
    """

    kind: str
    name: str
    text: str
    unit: str
    own: float
    others: float
    strength: float
    low: float
    high: float
    n: int = 0
    n_others: int = 0


@dataclass(frozen=True)
class AnnotatorProfile:
    """Summary of one annotator; all sentences are generated from the numbers beside them.

    Attributes:
        n, n_items, n_explanations: annotations, items annotated, explanations that are not empty.
        labels: use of every label of the scale.
        length: None without enough explanations.
        cues: phrases, then style features, the strongest first; empty where none is significant.
        statements: on label use and wording, in words.
        typical, atypical: annotation ids, the most typical and the most atypical first.
    """

    annotator_id: str
    n: int
    n_items: int
    n_explanations: int
    labels: tuple[LabelUse, ...]
    length: ExplanationLength | None
    cues: tuple[Cue, ...]
    statements: tuple[Statement, ...]
    typical: tuple[str, ...]
    atypical: tuple[str, ...]

    @property
    def interpretation(self) -> tuple[str, ...]:
        """The statements as sentences."""
        return tuple(statement.text for statement in self.statements)

    @property
    def alone(self) -> bool:
        """True where there are no explanations to describe, or none by others to compare with."""
        return self.length is None or self.length.others is None or math.isnan(self.length.others)

    @property
    def key_numbers(self) -> list[tuple[str, str]]:
        """Sizes, and lengths in words, as (name, number); what is undefined is left out."""
        found = [
            ("annotations", f"{self.n:,}"),
            ("items", f"{self.n_items:,}"),
            ("explanations", f"{self.n_explanations:,}"),
        ]
        if self.length is not None:
            low, high = self.length.low_quarter, self.length.high_quarter
            found.append(("median words", number(self.length.median, 0)))
            found.append(("interquartile range", f"{low:.0f}–{high:.0f}"))
            if not self.alone:
                found.append(("median of the others", number(self.length.others, 0)))
        return found

    @property
    def without_phrases(self) -> str:
        """The sentence where no phrase is more frequent, or none could be compared."""
        if not self.n_explanations:
            return f"{self.annotator_id} wrote no explanations."
        if self.length is None:
            return "Too few explanations to compare phrases."
        if self.alone:
            return "No other annotator wrote explanations to compare with."
        return "No phrase is used significantly more often than by the others."

    def to_dict(self) -> dict:
        return _plain(self) | {
            "interpretation": list(self.interpretation),
            "statements": [statement.to_dict() for statement in self.statements],
        }

    @classmethod
    def from_dict(cls, raw: dict) -> AnnotatorProfile:
        """Return the profile from `to_dict`.

        Its sentences are made anew from its numbers, so that a saved report says what a new one
        does; of the first versions, which had texts alone, they are as they were.
        """
        raw = dict(raw)
        sentences = [{"topic": "", "text": text} for text in raw.pop("interpretation")]
        statements = raw.pop("statements", sentences)
        parts = {
            "statements": tuple(Statement.from_dict(each) for each in statements),
            "labels": tuple(LabelUse(**use) for use in raw["labels"]),
            "length": None if raw["length"] is None else ExplanationLength(**raw["length"]),
            "cues": tuple(Cue(**{"n": raw["n_explanations"], **cue}) for cue in raw["cues"]),
            **{name: tuple(raw[name]) for name in ("typical", "atypical")},
        }
        made = cls(**{**raw, **parts})
        topics = {each.topic for each in made.statements}
        return replace(made, statements=made._sentences()) if topics > {"labels"} else made

    def _sentences(self) -> tuple[Statement, ...]:
        """Return the statements of the numbers; that on mean labels, whose numbers are not kept
        apart, as it is."""
        means = (each for each in self.statements if each.template.startswith(_MEAN))
        labels = AnnotatorLabels(
            tuple(
                each if each.share_others is not None else replace(each, share_others=math.nan)
                for each in self.labels
            )
        )
        wording = wording_statements(
            self.n_explanations, MIN_EXPLANATIONS, 1 if self.alone else 2, self.length, self.cues
        )
        return (*means, *label_statements(labels, self.n), *wording)


def annotator_profiles(
    dataset: Dataset,
    *,
    phrases: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
    extracted: ExplanationPhrases | None = None,
    scores: pd.Series | None = None,
    n_examples: int = 3,
) -> tuple[AnnotatorProfile, ...]:
    """Return the profile of each of the dataset's annotators, in their order.

    Args:
        phrases, features, extracted: `distinctive_phrases`, `distinctive_features` and
            `extract_phrases` of the dataset, where they are computed already.
        scores: annotation_id → how typical an explanation is of its annotator, for instance a
            held-out attribution; by default its phrases' mean log-odds (`example_explanations`).
    """
    extracted = extract_phrases(dataset) if extracted is None else extracted
    if phrases is None:
        phrases = stability_phrases.distinctive_phrases(
            dataset, extracted=extracted, least=MIN_EXPLANATIONS
        )
    if features is None:
        features = stability_phrases.distinctive_features(dataset, least=MIN_EXPLANATIONS)
    use = label_use(dataset)
    examples_of = example_explanations(extracted, phrases, scores, n_examples, MIN_EXPLANATIONS)
    by_annotator = dataset.annotations.groupby("annotator_id")["item_id"]
    n, n_items = by_annotator.size(), by_annotator.nunique()
    phrases_of, features_of = _rows_by_annotator(phrases), _rows_by_annotator(features)
    place = {name: number for number, name in enumerate(extracted.names)}
    profiles = []
    for name in dataset.annotators:
        own = np.zeros(len(extracted.annotators), dtype=bool)
        if name in place:
            own[extracted.rows[place[name]]] = True
        enough = own.sum() >= MIN_EXPLANATIONS
        length = _length(extracted.n_words[own], extracted.n_words[~own]) if enough else None
        cues = ()
        if enough:
            cues = _cues(phrases_of.get(name, []), features_of.get(name, []))
        sentences = (
            *label_statements(use[name], int(n[name])),
            *wording_statements(
                int(own.sum()), MIN_EXPLANATIONS, len(extracted.names), length, cues
            ),
        )
        examples = examples_of.get(name, ExampleExplanations((), ()))
        profiles.append(
            AnnotatorProfile(
                name,
                int(n[name]),
                int(n_items[name]),
                int(own.sum()),
                use[name].labels,
                length,
                cues,
                sentences,
                examples.typical,
                examples.atypical,
            )
        )
    return tuple(profiles)


def _length(own: np.ndarray, others: np.ndarray) -> ExplanationLength:
    low, median, high = np.quantile(own, [0.25, 0.5, 0.75])
    return ExplanationLength(
        float(median), float(low), float(high), float(np.median(others)) if len(others) else np.nan
    )


def _rows_by_annotator(frame: pd.DataFrame) -> dict[str, list]:
    """Return annotator → its rows as named tuples, in their order."""
    found: dict[str, list] = {}
    for row in frame.itertuples(index=False):
        found.setdefault(row.annotator_id, []).append(row)
    return found


def _cues(
    phrases: Sequence, features: Sequence, n_more: int = 8, n_less: int = 4
) -> tuple[Cue, ...]:
    """Return an annotator's strongest significant phrases (over- and underused), then the style
    features.

    Args:
        phrases, features: the annotator's rows of PHRASE_COLUMNS and FEATURE_COLUMNS.
    """
    clear = [row for row in phrases if row.clear]
    more = [row for row in clear if row.z > 0][:n_more]
    less = [row for row in clear if row.z < 0][::-1][:n_less]
    cues = [
        Cue("phrase", row.phrase, MARKS.get(row.phrase, f"“{as_written(row.phrase)}”"), PER_TEXT,
            100 * row.rate, 100 * row.rate_others, row.log_odds, row.low, row.high,
            int(row.n), int(row.n_others))
        for row in (*more, *less)
    ]  # fmt: skip
    habits = [
        row
        for row in features
        if row.clear
        and abs(row.difference) >= SMALL
        and row.feature not in LENGTH
        and not str(row.feature).startswith("word_")
    ][:n_more]
    cues += [
        Cue("habit", row.feature, row.text, row.unit, row.mean, row.mean_others, row.difference,
            row.low, row.high, int(row.n), int(row.n_others))
        for row in habits
    ]  # fmt: skip
    return tuple(cues)


@dataclass(frozen=True)
class ExampleExplanations:
    """Annotation ids, the most typical and the most atypical explanation first."""

    typical: tuple[str, ...]
    atypical: tuple[str, ...]


def example_explanations(
    extracted: ExplanationPhrases,
    phrases: pd.DataFrame,
    scores: pd.Series | None,
    n: int,
    least: int,
) -> dict[str, ExampleExplanations]:
    """Choose at most `n` typical and `n` atypical explanations of each annotator.

    Args:
        phrases: the phrases an explanation is scored by: its mean log-odds over them, 0 for a
            phrase that it lacks, with the explanation itself left out of the counts, so that
            none is typical of itself.
        scores: annotation_id → score, higher is more typical, used in place of the phrases.
        least: an annotator with fewer explanations, or with no phrase, gets none.

    Ties go to the explanation nearer to the annotator's median length (typical) or farther from
    it (atypical). No text with the same phrases and length is listed twice.
    """
    found = {}
    everybody = extracted.everybody()
    sizes = np.bincount(extracted.annotators, minlength=len(extracted.names))
    phrases_of = dict(iter(phrases.groupby("annotator_id")["phrase"]))
    place = {phrase: k for k, phrase in enumerate(extracted.table.phrases)}
    for a in np.flatnonzero(sizes >= least):
        name, rows = extracted.names[a], extracted.rows[a]
        mine = phrases_of.get(name, ())
        columns = np.array([place[phrase] for phrase in mine if phrase in place], dtype=int)
        if scores is not None:
            value = scores.reindex(extracted.annotation_ids[rows]).to_numpy(dtype=float)
            rows, value = rows[np.isfinite(value)], value[np.isfinite(value)]
        elif len(columns):
            own = extracted.counts_of(a)
            prior = PhrasePrior.of(everybody, len(extracted.annotators), 500.0)
            weights = without_one(
                own,
                sizes[a],
                everybody - own,
                len(extracted.annotators) - sizes[a],
                prior,
            )
            value = extracted.table.presence[rows][:, columns] @ weights[columns] / len(columns)
        else:
            continue
        if len(rows) < least:
            continue
        far = np.abs(extracted.n_words[rows] - np.median(extracted.n_words[rows]))
        ids = extracted.annotation_ids[rows]
        first = _distinct(np.lexsort((far, -value)), value, far, n)
        last = _distinct(np.lexsort((-far, value)), value, far, n)
        last = [k for k in last if k not in set(first)]
        found[name] = ExampleExplanations(tuple(ids[first]), tuple(ids[last]))
    return found


def _distinct(order: np.ndarray, value: np.ndarray, far: np.ndarray, n: int) -> list[int]:
    """The first `n` of `order` without two of equal score and length."""
    chosen: list[int] = []
    seen = set()
    for k in order:
        key = (round(float(value[k]), 9), float(far[k]))
        if key not in seen:
            seen.add(key)
            chosen.append(int(k))
        if len(chosen) == n:
            break
    return chosen


def label_statements(use: AnnotatorLabels, n: int) -> tuple[Statement, ...]:
    """Return statements on the use of the labels in `n` annotations: of every label that differs
    significantly, the largest difference first, or of the largest difference where none does."""
    if n < MIN_LABELS:
        return (_of_labels("{n:count annotation}: too few to describe label use.", n=n),)
    if math.isnan(use.labels[0].share_others):
        most = max(use.labels, key=lambda label: label.share)
        return (
            _of_labels(
                f"Most frequent label “{{label}}”: {_OWN_RATE} of {{n:,}} labels. "
                "There is no other annotator to compare with.",
                **_label_values(most),
                n=n,
            ),
        )
    statements = []
    if use.mean is not None and math.isfinite(use.mean.low):
        significant = use.mean.low > 0 or use.mean.high < 0
        statements.append(
            _of_labels(
                f"{_MEAN}{{own:number 1}}, the others' {{others:number 1}}: "
                f"{'a significant' if significant else 'no significant'} difference "
                "({value:number 1}, 95 % interval {interval}).",
                own=_mean(use.own_mean),
                others=_mean(use.others_mean),
                value=_mean(use.mean.value),
                interval=number_interval(_mean(use.mean.low), _mean(use.mean.high), 1, apart=True),
            )
        )
    clear = sorted((each for each in use.labels if each.differs), key=_distance, reverse=True)
    far = clear[0] if clear else max(use.labels, key=_distance)
    if clear:
        head = f"Uses “{{label}}” significantly {_direction(far)} often"
    else:
        head = "No significant difference in label use; the largest is for “{label}”"
    statements.append(
        _of_labels(
            f"{head}: {_OWN_RATE} of {{n:,}} labels, the others {{others:rate}}.",
            **_label_values(far),
            n=n,
            others=far.share_others,
        )
    )
    if len(use.labels) > 2 and len(clear) > 1:  # of two labels one is what the other leaves
        rest = max(0, len(clear) - MOST_LABELS)
        end = f". {{rest}} more label{' differs' if rest == 1 else 's differ'} significantly."
        also = [_also(label) for label in clear[1:MOST_LABELS]]
        statements.append(
            _of_labels(f"Uses {{also:apart}}{end if rest else '.'}", also=also, rest=rest)
        )
    return tuple(statements)


def _direction(label: LabelUse) -> str:
    return "more" if label.share > label.share_others else "less"


def _also(label: LabelUse) -> Statement:
    """Return what differs in the use of a label, without the number of annotations."""
    return _of_labels(
        f"“{{label}}” significantly {_direction(label)} often ({_OWN_RATE}, the others "
        "{others:rate})",
        **_label_values(label),
        others=label.share_others,
    )


def wording_statements(
    n: int, least: int, n_writers: int, length: ExplanationLength | None, cues: Sequence[Cue]
) -> tuple[Statement, ...]:
    """Return statements on the wording of `n` explanations; `n_writers` annotators wrote any."""
    if not n:
        return (_of_wording("Wrote no explanations."),)
    if n < least or length is None:
        return (_of_wording("{n:count explanation}: too few to describe the wording.", n=n),)
    own = "Median length {median:.0f} words (interquartile range {low:.0f}–{high:.0f})"
    values = {"median": length.median, "low": length.low_quarter, "high": length.high_quarter}
    if n_writers < 2:
        own += ". No other annotator wrote explanations to compare with."
        return (_of_wording(own, **values),)
    statements = [
        _of_wording(own + "; the others' median {others:.0f}.", **values, others=length.others)
    ]
    more = [cue for cue in cues if cue.kind == "phrase" and cue.strength > 0]
    less = [cue for cue in cues if cue.kind == "phrase" and cue.strength < 0]
    features = [cue for cue in cues if cue.kind == "habit"]
    if more:
        found = [_phrase(cue) for cue in more[:4]]
        statements.append(_of_wording("Distinctive phrases: {phrases}.", phrases=found))
    if less:
        found = [_phrase(cue) for cue in less[:2]]
        statements.append(_of_wording("Rarer than in the others: {phrases}.", phrases=found))
    if features:
        found = [_feature(cue) for cue in features[:3]]
        statements.append(_of_wording("Style features: {features:apart}.", features=found))
    if not cues:
        statements.append(
            _of_wording(
                "No phrase or style feature differs significantly in {n:count explanation}.", n=n
            )
        )
    return tuple(statements)


def _of_labels(template: str, **values: Any) -> Statement:
    return Statement("labels", template, values)


def _of_wording(template: str, **values: Any) -> Statement:
    return Statement("wording", template, values)


# An annotator's share of a label with its interval, from `_label_values`.
_OWN_RATE = "{share:rate} {interval}"


def _label_values(label: LabelUse) -> dict[str, Any]:
    return {
        "label": label.label,
        "share": label.share,
        "interval": percent_interval(label.low, label.high),
    }


def _phrase(cue: Cue) -> Statement:
    interval = ""
    if cue.n:
        interval = f" {percent_interval(*wilson(cue.own / 100 * cue.n, cue.n))}"
    return _of_wording(
        "{cue} (in {own:rate}{interval} of explanations, others {others:rate})",
        cue=cue.text, own=cue.own / 100, others=cue.others / 100, interval=interval,
    )  # fmt: skip


def _feature(cue: Cue) -> Statement:
    if cue.unit == "percent of explanations":
        template = "{own:rate} {cue}, others {others:rate}"
    elif cue.unit == "percent of words":
        template = "{cue} are {own:percent 1} of the words, others {others:percent 1}"
    else:
        unit = "" if cue.unit == "count" else " {unit}"
        template = f"{{cue}}: {{own:.1f}}{unit}, others {{others:.1f}}"
        return _of_wording(template, cue=cue.text, own=cue.own, others=cue.others, unit=cue.unit)
    return _of_wording(template, cue=cue.text, own=cue.own / 100, others=cue.others / 100)


def compared(cue: Cue) -> str:
    """Return the annotator's value of a cue beside the others': "22 % of explanations, others 1 %".

    With the decimals that the sentences have.
    """
    if cue.unit == "percent of explanations":
        return f"{rate(cue.own / 100)} of explanations, others {rate(cue.others / 100)}"
    if cue.unit == "percent of words":
        return f"{percent(cue.own / 100, 1)} of words, others {percent(cue.others / 100, 1)}"
    unit = "" if cue.unit == "count" else f" {cue.unit}"
    return f"{number(cue.own, 1)}{unit}, others {number(cue.others, 1)}"


def _distance(label: LabelUse) -> tuple[float, float]:
    """Sort key: the largest difference first; ties by the label's frequency."""
    difference = label.share - label.share_others
    return round(abs(difference), 9), difference


def _mean(value: float) -> float:
    """Round a mean label to the one decimal that is shown; never to a negative zero."""
    return round(value, 1) + 0.0


def _plain(value):
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else json_value(value)
