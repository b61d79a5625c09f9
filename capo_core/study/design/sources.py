"""The texts a study can draw from, human and generated, with reference cards and leak search.

Reference cards: how each annotator answers, shown beside every trial that asks about them.

What in one text would tell a judge its source: names, boilerplate, format, length, a copy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation import streams
from capo_core.evaluation.streams import held_out_items
from capo_core.formatting import Statement, name_list
from capo_core.imitation.prompting.responses import INVALID, Response, check_annotator, responses
from capo_core.run_folder import RunFolder
from capo_core.study.config import StudyConfig, change
from capo_core.study.fixes import DesignError
from capo_core.study.source_names import inside
from capo_core.study.tables import (
    CARDS,
    HUMAN,
    OTHER_HUMAN,
    as_cell,
    frame_of,
    from_cell,
)
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import Stratum
from capo_core.text.tokens import (
    WORD_CHARACTER,
    normalise,
    tokens,
    unify_quotes,
    unspaced,
    words,
)
from capo_core.workspace import Workspace

# Machines' names, and words of the trade, as whole words in any case.
MACHINES = ("chatgpt", "gpt", "gpt-4", "claude", "gemini", "llama", "qwen", "mistral", "openai",
            "lora", "zero-shot", "few-shot", "fine-tuned", "finetuned")  # fmt: skip
BOILERPLATE = re.compile(
    r"\bas an? (?:ai|assistant|language model)\b|\blanguage model\b|\bai assistant\b"
    r"|^(?:sure|certainly|of course|absolutely)\s*[,!.:]|^here(?:'s| is| are)\b[^.]*:"
    r"|\bi (?:cannot|can't|am unable to|'m unable to) (?:answer|help|assist|provide|determine)\b"
    r"|\blet me know if\b|\bi hope this helps\b|\bhappy to help\b|\bstep by step\b"
    r"|^(?:answer|label|explanation|response|output|reasoning|final answer)\s*:"
    r"|\bthe annotator\b|\bthis annotator\b",
    re.IGNORECASE,
)
FORMAT = (
    (re.compile(r"\*\*|__|`|^#{1,6} |\[[^\]]+\]\([^)]+\)"), "Markdown"),
    (re.compile(r"^(?:[-*•–] |\d+[.)] )|(?: [*•] | \d+[.)] ).*(?: [*•] | \d+[.)] )"), "a list"),
    (re.compile(r"</?[A-Za-z][^<>]*>|&[a-z]{2,8};|&#\d+;"), "HTML"),
    (re.compile(r"<\|[^|]*\|>|\[/?INST\]|</?s>|\[(?:PAD|UNK|EOS|BOS)\]"), "a model's control mark"),
    (re.compile(r"^[{\[].*[}\]]$|\"(?:label|explanation)\"\s*:"), "JSON"),
    (re.compile(r"\\[nt\"]|\\u[0-9a-fA-F]{4}"), "an escaped character"),
    (re.compile("\ufffd|[\U0001f300-\U0001faff]"), "an unusual character"),
)
LONGER = 1.5  # times the longest explanation people wrote in training


@dataclass(frozen=True)
class LeakMarkers:
    """Texts and names that leak checks search for.

    Attributes:
        names: names that must not stand in a text, lower-cased (see `leak_markers`).
        cards: the explanations on the reference cards, normalised.
        most_words: no person wrote more words than this in the training part; 0 if unknown.
    """

    names: frozenset[str]
    cards: frozenset[str] = frozenset()
    most_words: int = 0


def leak_markers(dataset: Dataset, own: Iterable[str], cards: Iterable[str]) -> LeakMarkers:
    """Return what would reveal a source in this dataset.

    Annotators' identifiers of one or two characters are looked for only after the word
    "annotator": a single "A" is an article.

    Args:
        own: names of the sources, methods and runs of the study.
        cards: explanations that stand on the cards.
    """
    names = {f"annotator {name}".lower() for name in dataset.annotators}
    names |= {name.lower() for name in dataset.annotators if len(name) > 2}
    # A source may bear an everyday name; "human" and "profile" do not tell one in a sentence.
    plain = {"human", "profile", "other_human"}
    names |= {name.lower() for name in own if len(name) > 2 and name.lower() not in plain}
    rows = dataset.annotations
    train = dataset.items.loc[dataset.items["split"] == "train", "item_id"]
    lengths = [len(words(text)) for text in rows.loc[rows["item_id"].isin(train), "explanation"]]
    return LeakMarkers(
        frozenset(names) | frozenset(MACHINES),
        frozenset(normalise(text) for text in cards),
        max(lengths, default=0),
    )


def _stands_alone(name: str, text: str) -> bool:
    """Return whether `name` is in `text` as a word; in scripts without spaces, at all."""
    if all(unspaced(token) for token in tokens(name)):
        return True
    edge = rf"(?:{WORD_CHARACTER}|-)"
    return bool(re.search(rf"(?<!{edge}){re.escape(name)}(?!{edge})", text))


def leaks_in_text(text: str, marks: LeakMarkers) -> list[tuple[str, Statement]]:
    """Return everything in one explanation that would reveal its source: kind and statement."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    lowered = text.lower()
    for name in sorted(marks.names):
        if name in lowered and _stands_alone(name, lowered):
            found.append(("name", "the name {name!r} stands in it", {"name": name}))
    match = BOILERPLATE.search(text)
    if match:
        values = {"phrase": match.group().strip()}
        found.append(("boilerplate", "{phrase!r} is how models speak", values))
    found += [
        ("format", "it has {what}", {"what": what})
        for pattern, what in FORMAT
        if pattern.search(text)
    ]
    count = len(words(text))
    if marks.most_words and count > LONGER * marks.most_words:
        template = "it has {n:count word}; the longest that people wrote has {longest:,}"
        found.append(("length", template, {"n": count, "longest": marks.most_words}))
    if normalise(text) in marks.cards:
        found.append(("card_copy", "it stands word by word on a reference card", {}))
    return [(kind, Statement(kind, template, values)) for kind, template, values in found]


UNREAD = "no readable answer"
EMPTY = "no explanation"


@dataclass(frozen=True)
class SourceText:
    """One text as a judge would see it, and where it comes from.

    Attributes:
        annotator_id: who wrote it, or whom the method imitates.
        run_id: the run that wrote it; "" for people.
    """

    label: str
    explanation: str
    annotator_id: str
    run_id: str = ""


@dataclass(frozen=True)
class OmittedTexts:
    """The number of texts of a source and target that a study cannot show, and the reason."""

    source: str
    target: str
    reason: str
    count: int


@dataclass(frozen=True)
class AvailableTexts:
    """The texts that trials can show.

    Attributes:
        items: the items of the study's part, in the dataset's order.
        targets: whose texts are asked about.
        texts: (source, target, item_id) → texts, most often one.
        left_out: what was not collected, counted.
    """

    items: tuple[str, ...]
    targets: tuple[str, ...]
    texts: Mapping[tuple[str, str, str], tuple[SourceText, ...]]
    left_out: tuple[OmittedTexts, ...]
    _found: dict[tuple[Stratum, str, str], list[tuple[SourceText, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # of `options`, each looked for once

    def options(self, stratum: Stratum, target: str, item: str) -> list[tuple[SourceText, ...]]:
        """Return what a trial may show for this target and item: per choice, its texts by slot."""
        key = (stratum, target, item)
        if key not in self._found:
            self._found[key] = self._options(stratum, target, item)
        return self._found[key]

    def _options(self, stratum: Stratum, target: str, item: str) -> list[tuple[SourceText, ...]]:
        kind = TRIAL_KINDS[stratum.kind]
        named = kind.slot_sources(stratum.sources)
        found = product(*(self.texts.get((name, target, item), ()) for name in named))
        return [texts for texts in found if kind.is_usable(texts)]


def collect_texts(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, marks: LeakMarkers | None = None
) -> AvailableTexts:
    """Collect the texts of all sources on the items of the study's split.

    Args:
        marks: with them, texts that `config.leave_out` names are not collected.

    Raises:
        DesignError: a method has no run for a target.
        ConfigError, DataError, RunError: a target is unknown, or a run is not there, not finished,
            or answered other data.
    """
    collected = _TextCollector(config, marks)
    targets = _people(dataset, config, config.split, collected)
    answers = {
        source: _answers(workspace, dataset, config, runs)
        for source, runs in config.methods.items()
    }
    _check_targets(
        targets,
        {source: set(found["target_annotator_id"]) for source, found in answers.items()},
    )
    for source, found in answers.items():
        for row in found.itertuples():
            target = row.target_annotator_id
            if target in targets:
                text = SourceText(row.label, display_text(row.explanation), target, row.run_id)
                readable = row.parsed == "true" and row.label
                collected.add(source, target, row.item_id, text, "" if readable else UNREAD)
    return collected.material(held_out_items(dataset, config.split), targets)


def collect_human_texts(
    dataset: Dataset, config: StudyConfig, split: str, marks: LeakMarkers | None = None
) -> AvailableTexts:
    """Collect human texts alone, on the items of any split."""
    collected = _TextCollector(config, marks)
    targets = _people(dataset, config, split, collected)
    return collected.material(held_out_items(dataset, split), targets)


def _check_targets(targets: Iterable[str], imitated: Mapping[str, set[str]]) -> None:
    """Raise `DesignError` where a method has no run for an annotator who is asked about.

    Args:
        imitated: method → the annotators whom its runs imitate.
    """
    missing = {
        source: [target for target in targets if target not in found]
        for source, found in imitated.items()
    }
    if not any(missing.values()):
        return
    alike: dict[tuple[str, ...], list[str]] = {}  # annotators → methods without a run for them
    for source, lacking in missing.items():
        if lacking:
            alike.setdefault(tuple(lacking), []).append(inside(source))
    parts = [
        f"no run of {' or '.join(methods)} imitates {_named(lacking)}"
        for lacking, methods in alike.items()
    ]
    covered = tuple(t for t in targets if all(t in found for found in imitated.values()))
    raise DesignError(
        "; ".join(parts),
        where="Target annotators",
        expected="for every method a run for every annotator who is asked about",
        todo=None if covered else "choose runs of the same annotators, or run the missing ones",
        changes=[change(targets=covered)] if covered else [],
    )


def _named(annotators: Sequence[str]) -> str:
    """Return "annotator 'D'", or "annotators 'B', 'C' and 'D'"."""
    found = [repr(name) for name in annotators]
    return f"annotator {found[0]}" if len(found) == 1 else f"annotators {name_list(found)}"


class _TextCollector:
    """Texts collected so far, and counts of those left out."""

    def __init__(self, config: StudyConfig, marks: LeakMarkers | None) -> None:
        self._config, self._marks = config, marks
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._texts: dict[tuple[str, str, str], list[SourceText]] = {}

    def add(self, source: str, target: str, item: str, text: SourceText, reason: str = "") -> None:
        reason = reason or ("" if text.explanation else EMPTY)
        if not reason and self._marks is not None and self._config.leave_out:
            found = [kind for kind, _ in leaks_in_text(text.explanation, self._marks)]
            reason = next((kind for kind in found if kind in self._config.leave_out), "")
        if reason:
            self._counts[source, target, reason] += 1
        else:
            self._texts.setdefault((source, target, item), []).append(text)

    def material(self, items: tuple[str, ...], targets: tuple[str, ...]) -> AvailableTexts:
        left_out = tuple(OmittedTexts(*key, count) for key, count in sorted(self._counts.items()))
        texts = {key: tuple(found) for key, found in self._texts.items()}
        return AvailableTexts(items, targets, texts, left_out)


def _people(
    dataset: Dataset, config: StudyConfig, split: str, collected: _TextCollector
) -> tuple[str, ...]:
    """Add the human texts on the items of a split; return the targets."""
    targets = config.targets or dataset.annotators
    for target in targets:
        check_annotator(dataset, target)
    rows = dataset.annotations
    rows = rows[rows["item_id"].isin(held_out_items(dataset, split))]
    for row in rows.itertuples():
        text = SourceText(row.label, display_text(row.explanation), row.annotator_id)
        for target in targets:
            # Both are collected in any case: checks and practice are made of them.
            source = HUMAN if target == row.annotator_id else OTHER_HUMAN
            collected.add(
                source, target, row.item_id, text, INVALID if row.valid == "false" else ""
            )
    return targets


def display_text(text: str) -> str:
    """Return `text` without traces of keyboard or file format, the writer's style left alone.

    Unicode NFC, plain quotes, white space of any kind and length as one space, none outside, no
    invisible characters. Case, punctuation and words stay: they are what is judged.
    """
    text = unify_quotes(unicodedata.normalize("NFC", text))
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))
    return " ".join(seen.split())


def _answers(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, runs: Iterable[str]
) -> pd.DataFrame:
    """Read the outputs of a source's runs, which must answer the study's split of this dataset."""
    folders = [RunFolder(workspace.runs / run) for run in runs]
    found, part = streams.run_outputs(dataset, folders)
    if part != config.split:
        raise DataError(
            f"the runs answered the {part} part",
            where=name_list(runs),
            expected=f"answers to the {config.split} part, which the study shows",
        )
    streams.method_streams(dataset, found, config.split)  # unknown items, targets, labels
    return pd.concat([one.frame for one in found], ignore_index=True)


def reference_cards(dataset: Dataset, examples: int, seed: int) -> pd.DataFrame:
    """Return the table CARDS, for every annotator, from the training split alone.

    Items that most annotators answered come first, so that the cards show different people on the
    same items: they then differ by manner, not by subject. Items whose texts stand in the
    validation or test part too are never on a card (see `prompting.responses.history`).

    Raises:
        DataError: an annotator has fewer training explanations than a card needs.
        ConfigError: there is no training part.
    """
    training = responses(dataset, split="train")
    answered = Counter(item for item, _ in {(r.item_id, r.annotator_id) for r in training})
    rng = np.random.default_rng([seed, 11])
    chance = {item: rng.random() for item in sorted(answered)}
    texts = dataset.items.set_index("item_id")
    rows = []
    for annotator in dataset.annotators:
        own: dict[str, Response] = {}
        for response in training:
            if response.annotator_id == annotator:
                own.setdefault(response.item_id, response)
        chosen = sorted(own, key=lambda item: (-answered[item], chance[item]))[:examples]
        if len(chosen) < examples:
            raise DataError(
                f"annotator {annotator!r} has explanations on {len(chosen)} training items",
                where=dataset.name,
                expected=f"at least {examples}, which a reference card shows",
                todo="put fewer examples on a card, or leave this annotator out of the data",
            )
        cell = [
            [
                *(display_text(texts.at[item, column]) for column in ("text_a", "text_b")),
                own[item].label,
                display_text(own[item].explanation),
            ]
            for item in chosen
        ]
        rows.append({"annotator_id": annotator, "examples": as_cell(cell)})
    return frame_of(CARDS, rows)


def card_explanations(cards: pd.DataFrame) -> list[str]:
    """Return all explanations on the cards."""
    return [example[3] for cell in cards["examples"] for example in from_cell(cell)]
