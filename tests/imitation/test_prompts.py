"""Every prompt's text is pinned: a changed letter is another prompt, and another experiment.

To accept a change, run with CAPO_WRITE_GOLDEN=1: the files are written and the tests fail, so
that somebody looks at the difference and runs them again.
"""

import os
from pathlib import Path

import pytest
from helpers.responses import TONE

from capo_core.imitation.prompting.prompts import (
    LATEST_VERSION,
    Example,
    PromptItem,
    PromptStyle,
    ask_for_profile,
    in_context,
    response_form,
    with_profile,
    zero_shot,
)
from capo_core.task import NLI, PARAPHRASE

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "prompts"
FLAG = "CAPO_WRITE_GOLDEN"

TASKS = {"nli": NLI, "paraphrase": PARAPHRASE, "tone": TONE}
ITEMS = {
    "nli": PromptItem("n1", "Two  dogs run\nover a field.", "The dogs are asleep."),
    "paraphrase": PromptItem(
        "p1", "How do I learn to swim?", "What is the best way to learn swimming?"
    ),
    "tone": PromptItem("t1", "Could you send it again, please?"),
}
EXAMPLES = {
    "nli": [
        Example(
            PromptItem("n2", "A man eats.", "A man is hungry."), "neutral", "Not  said,\nmaybe."
        ),
        Example(
            PromptItem("n3", "It rains.", "It is wet."), "entailment", "Rain makes things wet."
        ),
    ],
    "paraphrase": [
        Example(PromptItem("p2", "What is a verb?", "What is a noun?"), "-4", "Other word class."),
        Example(PromptItem("p3", "Is tea healthy?", "Is tea good for you?"), "5", "Same thing."),
    ],
    "tone": [
        Example(PromptItem("t2", "No."), "not friendly", "Very short."),
        Example(PromptItem("t3", "Thanks a lot!"), "friendly", "It thanks."),
    ],
}
PROFILE = "Labels: prefers the middle.\nManner: short, hedged.\nRules: say maybe.\n"
FREE, SCORED = PromptStyle(LATEST_VERSION), PromptStyle(LATEST_VERSION, form=False)
BUILDERS = {
    "zero_shot": lambda task, item, examples: zero_shot(task, item),
    "zero_shot_named": lambda task, item, examples: zero_shot(task, item, annotator="A-1"),
    "in_context": in_context,
    "with_profile": lambda task, item, examples: with_profile(task, item, PROFILE),
    "ask_for_profile": lambda task, item, examples: ask_for_profile(task, examples),
    "v2_ask_for_profile": lambda task, item, examples: ask_for_profile(task, examples, style=FREE),
    "v2_ask_for_profile_begun": lambda task, item, examples: ask_for_profile(
        task, examples, style=SCORED
    ),
    "v2_zero_shot": lambda task, item, examples: zero_shot(task, item, style=FREE),
    "v2_zero_shot_scored": lambda task, item, examples: zero_shot(task, item, style=SCORED),
    "v2_in_context": lambda task, item, examples: in_context(task, item, examples, style=SCORED),
    "v2_with_profile": lambda task, item, examples: with_profile(task, item, PROFILE, style=SCORED),
}
CASES = [(task, builder) for task in TASKS for builder in BUILDERS]


def prompt_of(task, builder, item=None):
    return BUILDERS[builder](TASKS[task], item or ITEMS[task], EXAMPLES[task]).text


@pytest.mark.parametrize(("task", "builder"), CASES)
def test_text_is_the_golden_one(task, builder):
    path = GOLDEN / f"{task}_{builder}.txt"
    text = prompt_of(task, builder).encode("utf-8")
    if os.environ.get(FLAG):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        pytest.fail(f"{path.name} was written; look at the change, and run without {FLAG}")
    assert path.is_file(), f"no golden file {path.name}; run once with {FLAG}=1"
    assert text == path.read_bytes()


def test_every_golden_file_is_of_a_prompt():
    assert {path.name for path in GOLDEN.iterdir()} == {f"{t}_{b}.txt" for t, b in CASES}


def test_the_regenerate_flag_is_no_way_to_pass(tmp_path, monkeypatch):
    monkeypatch.setenv(FLAG, "1")
    monkeypatch.setattr(f"{__name__}.GOLDEN", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="was written"):
        test_text_is_the_golden_one("nli", "zero_shot")
    assert (tmp_path / "nli_zero_shot.txt").read_bytes() == prompt_of("nli", "zero_shot").encode()


@pytest.mark.parametrize(("task", "builder"), CASES)
def test_the_item_stands_last_so_that_the_beginning_can_be_shared(task, builder):
    if "ask_for_profile" in builder:
        assert ITEMS[task].text_a not in prompt_of(task, builder)
        return
    other = PromptItem("other", "Quite another text", "Its second" if ITEMS[task].text_b else "")
    one, two = prompt_of(task, builder), prompt_of(task, builder, other)
    start = next(k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    rest = one[start:]
    assert rest.startswith(ITEMS[task].text_a.split()[0])
    assert "Label:" not in rest and "Task:" not in rest


@pytest.mark.parametrize("task", TASKS)
def test_a_name_comes_after_the_item(task):
    plain, named = prompt_of(task, "zero_shot"), prompt_of(task, "zero_shot_named")
    assert named == plain + "\nAnnotator: A-1"


@pytest.mark.parametrize("builder", ["zero_shot", "in_context", "with_profile"])
@pytest.mark.parametrize("task", TASKS)
def test_the_format_is_asked_for_in_every_prompt(task, builder):
    assert prompt_of(task, builder).count(response_form(TASKS[task])) == 1
    for label in ("-5", "5") if task == "paraphrase" else TASKS[task].scale.labels:
        assert label in response_form(TASKS[task])
