"""Whatever a model writes: reading it never fails, and gives nothing that is not there."""

import os
import re

from helpers.responses import TONE
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from capo_core.imitation.parsing import parse_response
from capo_core.imitation.parsing.result import PROBLEMS, ParsedResponse
from capo_core.imitation.prompting.prompts import response_form, write_response
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

SETTINGS = settings(
    max_examples=int(os.environ.get("CAPO_EXAMPLES", "150")),  # more for a long search
    deadline=None,
)
TASKS = (NLI, PARAPHRASE, TONE)
# What the three NLI labels may be called instead.
OTHER_WORDS = {
    "entailment": ("entailed", "entails", "true"),
    "neutral": ("undetermined",),
    "contradiction": ("contradict", "false"),  # contradicts, contradicted, contradictory
}
# Pieces from which answers, and what only looks like answers, are made.
PIECES = st.sampled_from(
    [
        *NLI.scale.labels, *TONE.scale.labels, "entailed", "true", "False", "not", "non-", "or",
        "3", "-3", "−3", "+4", "3.0", "3.5", "7", "/", "5", "to", "out of", "%",
        "Label:", "label", "**Label:**", "Answer:", "The label is", "It is", "I would say",
        "Explanation:", "**Explanation**:", "Reason:", "because", "\n", "\n\n", " ", " ", ". ",
        ", ", "(", ")", "**", "`", '"', "'", "- ", "1. ", "<think>", "</think>", "```", "```json",
        "{", "}", '{"label": "', '", "explanation": "', '"}', "<|im_end|>", "Premise:", "Task:",
        "He sleeps.", "words", response_form(NLI), response_form(PARAPHRASE),
    ]
)  # fmt: skip
MADE = st.lists(PIECES, max_size=14).map("".join)
SPACED = st.lists(PIECES, max_size=14).map(" ".join)
TEXTS = MADE | SPACED | st.text(max_size=60)


def supported(label: str, text: str, task: Task) -> bool:
    """Does the label stand in the text, in one of the forms that mean it?"""
    if task.scale.ordinal:
        numbers = re.findall(r"[+\-−–]?[0-9]+", text)
        return int(label) in {int(re.sub("[−–]", "-", number)) for number in numbers}
    text = " ".join(text.split()).casefold()
    others = OTHER_WORDS.get(label, ()) if task is NLI else ()
    return any(form in text for form in (label, *others))


@SETTINGS
@given(TEXTS, st.sampled_from(TASKS))
@example("{" * 3000 + '"label": "neutral"', NLI)
@example('{"label":' * 3000, NLI)
@example('{"label": ' + "9" * 6000 + "}", PARAPHRASE)
@example("Label: " + "9" * 6000, PARAPHRASE)
@example('{"label": NaN, "explanation": Infinity}', PARAPHRASE)
@example("Label: ３\nExplanation: ٣", PARAPHRASE)
@example("\ud800 Label: neutral\ud800\n\x00", NLI)
def test_never_fails_and_never_invents(text, task):
    found = parse_response(text, task)
    assert found.label in ("", *task.scale.labels)
    assert found.problem in ("", *PROBLEMS)
    assert (found.problem == "") == bool(found.label and found.explanation)
    assert found.label == "" or found.problem in ("", "no explanation")
    assert found.explanation == " ".join(found.explanation.split())
    assert found.label == "" or supported(found.label, text, task)
    # Not a word that the text does not have.
    assert all(word in text for word in found.explanation.split())


LABELS = st.text(min_size=1, max_size=12).filter(str.strip)
NOMINAL = st.lists(LABELS, min_size=1, max_size=5, unique=True).map(
    lambda labels: LabelScale(tuple(labels))
)
ORDINAL = st.tuples(st.integers(-100, 100), st.integers(1, 50)).map(
    lambda ends: LabelScale.between(ends[0], ends[0] + ends[1])
)
ODD_TEXTS = st.sampled_from(
    ["Label: neutral", "Explanation: x", "<think>", "a </think> b", "{}", '{"label": "neutral"}',
     "```", "<|im_end|>", "Premise: x\nHypothesis: y\nLabel: neutral", "User: hi", "\x1c\x85\u2028"]
)  # fmt: skip


@SETTINGS
@given(st.data(), NOMINAL | ORDINAL, st.text(max_size=80) | TEXTS | ODD_TEXTS)
def test_what_was_written_is_read_back(data, scale, explanation):
    label = data.draw(st.sampled_from(scale.labels))
    # A label that goes on into the explanation's line could be meant by the shorter label too.
    assume(not any(re.search(r"[\n\r]", each) for each in scale.labels))
    said = " ".join(explanation.split())
    problem = "" if said else "no explanation"
    read = parse_response(write_response(label, explanation), Task("any", scale))
    assert read == ParsedResponse(label, said, problem)


@SETTINGS
@given(
    st.sampled_from(TASKS).flatmap(
        lambda task: st.tuples(
            st.just(task), st.permutations(task.scale.labels).map(lambda order: order[:2])
        )
    ),
    st.sampled_from([" or ", "/", ", ", " and ", " - ", "; ", " | ", " (or ", " to ", " vs. "]),
    st.sampled_from(["Label: {}\nExplanation: so", "{}", "The label is {}.", "**Label:** {}\nso"]),
)
def test_two_labels_are_never_one(chosen, between, form):
    task, (one, other) = chosen
    assert parse_response(form.format(f"{one}{between}{other}"), task).label == ""


@SETTINGS
@given(TEXTS, st.sampled_from(TASKS))
def test_thoughts_are_never_read(thought, task):
    assume("think>" not in thought)
    answer = ParsedResponse(task.scale.labels[0], "He sleeps.")
    written = write_response(answer.label, answer.explanation)
    assert parse_response(f"<think>{thought}</think>\n{written}", task) == answer
    assert parse_response(f"<think>{thought}", task) == ParsedResponse("", "", "only thinking")


@SETTINGS
@given(TEXTS, st.sampled_from(TASKS))
def test_what_follows_another_question_is_never_read(text, task):
    answer = ParsedResponse(task.scale.labels[-1], "He sleeps.")
    assume("think>" not in text)  # thinking that ends there began before
    written = write_response(answer.label, answer.explanation)
    assert parse_response(f"{written}\n\nTask: {task.name}. {text}", task) == answer
