"""What in one text would tell a judge its source: names, boilerplate, format, length, a copy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from capo_core.dataset import Dataset
from capo_core.text.tokens import normalise, words

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
class Marks:
    """What texts are looked through for.

    Attributes:
        names: names that must not stand in a text, lower-cased (see `marks_of`).
        cards: the explanations on the reference cards, normalised.
        most_words: no person wrote more words than this in the training part; 0 if unknown.
    """

    names: frozenset[str]
    cards: frozenset[str] = frozenset()
    most_words: int = 0


def marks_of(dataset: Dataset, own: Iterable[str], cards: Iterable[str]) -> Marks:
    """What would give a source away in this dataset.

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
    return Marks(
        frozenset(names) | frozenset(MACHINES),
        frozenset(normalise(text) for text in cards),
        max(lengths, default=0),
    )


def of_text(text: str, marks: Marks) -> list[tuple[str, str]]:
    """Everything in one explanation that would tell, as (kind, in words)."""
    found = []
    lowered = text.lower()
    for name in sorted(marks.names):
        if name in lowered and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lowered):
            found.append(("name", f"the name {name!r} stands in it"))
    match = BOILERPLATE.search(text)
    if match:
        found.append(("boilerplate", f"{match.group().strip()!r} is how models speak"))
    found += [("format", f"it has {what}") for pattern, what in FORMAT if pattern.search(text)]
    count = len(words(text))
    if marks.most_words and count > LONGER * marks.most_words:
        longest = f"the longest that people wrote has {marks.most_words}"
        found.append(("length", f"it has {count} words; {longest}"))
    if normalise(text) in marks.cards:
        found.append(("card_copy", "it stands word by word on a reference card"))
    return found
