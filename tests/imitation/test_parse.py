"""What models really write, and what is read from it."""

import pytest
from helpers.responses import TONE

from capo_core.imitation.parsing import count_problems, parse_response
from capo_core.imitation.parsing.result import PROBLEMS, ParsedResponse
from capo_core.imitation.prompting.prompts import (
    PLAIN_END,
    Example,
    PromptItem,
    in_context,
    response_form,
    write_response,
)
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

SAID = "It does not say who."
FORMATS = {
    "as asked": "Label: {label}\nExplanation: {said}",
    "spaces around": "\n\n  Label: {label}\nExplanation: {said}  \n\n",
    "windows": "Label: {label}\r\nExplanation: {said}\r\n",
    "empty line between": "Label: {label}\n\nExplanation: {said}",
    "on one line": "Label: {label} Explanation: {said}",
    "on one line, marked off": "Label: {label} | Explanation: {said}",
    "bold marks": "**Label:** {label}\n**Explanation:** {said}",
    "bold marks, colon outside": "**Label**: {label}\n\n**Explanation**: {said}",
    "bold label": "Label: **{label}**\nExplanation: {said}",
    "headings": "### Label\n{label}\n\n### Explanation\n{said}",
    "quotes": 'Label: "{label}"\nExplanation: {said}',
    "brackets": "Label: [{label}]\nExplanation: {said}",
    "period": "Label: {label}.\nExplanation: {said}",
    "list": "- Label: {label}\n- Explanation: {said}",
    "numbered": "1. Label: {label}\n2. Explanation: {said}",
    "upper case": "LABEL: {label}\nEXPLANATION: {said}",
    "other names": "Answer: {label}\nReason: {said}",
    "final answer": "Final answer: {label}\nJustification: {said}",
    "next line": "Label:\n{label}\nExplanation:\n{said}",
    "other order": "Explanation: {said}\nLabel: {label}",
    "prose before": "Sure, here is my answer.\n\nLabel: {label}\nExplanation: {said}",
    "prose after": "Label: {label}\nExplanation: {said}\n\nLet me know if you need more!",
    "no mark before the explanation": "Label: {label}\n{said}",
    "no marks": "{label}\n{said}",
    "no marks, paragraphs": "{label}\n\n{said}",
    "sentence": "The label is {label}. {said}",
    "sentence, later": "Let me see. So, the answer would be: **{label}**.\n{said}",
    "code": "```\nLabel: {label}\nExplanation: {said}\n```",
    "json": '{{"label": "{label}", "explanation": "{said}"}}',
    "json in code": '```json\n{{"label": "{label}",\n "explanation": "{said}"}}\n```',
    "json in prose": 'My answer: {{"Label": "{label}", "Explanation": "{said}"}} Bye.',
    "nested json": '{{"response": {{"answer": "{label}", "reason": "{said}"}}}}',
    "python": "{{'label': '{label}', 'explanation': '{said}'}}",
    "thinking": "<think>\nLabel: OTHER? Perhaps.\n</think>\n\nLabel: {label}\nExplanation: {said}",
    "thinking, begun in the prompt": "so OTHER\n</think>\nLabel: {label}\nExplanation: {said}",
    "thinking within thinking": "Label: OTHER\n<think>So?</think>\n</think>\nLabel: {label}\n"
    "{said}",
    "thinking twice": "<think>OTHER</think><think>OTHER</think>\n{label}\n{said}",
    "thinking after": "Label: {label}\nExplanation: {said}\n<think>\nor OTHER? Label: OTHER",
    "end token": "Label: {label}\nExplanation: {said}<|im_end|>\n<|im_start|>user\nLabel: OTHER",
    "the form said again": "{form}\n\nLabel: {label}\nExplanation: {said}",
    "the question said again": "Label: {all}\n\nLabel: {label}\nExplanation: {said}",
    "json in cut-off json": '{{"turn": 1, "first": {{"label": "{label}", "reason": "{said}"}}',
    "the prompt said again": "{prompt}Label: {label}\nExplanation: {said}",
    "the item said again": "{item}\nLabel: {label}\nExplanation: {said}",
    "another question": "Label: {label}\nExplanation: {said}\n\n{item}\nLabel: OTHER\n"
    "Explanation: Nothing.",
    "another task": "Label: {label}\nExplanation: {said}\n\n{prompt}Label: OTHER\nExplanation: No.",
    "another turn": "Label: {label}\nExplanation: {said}\nUser: and this one?\nLabel: OTHER",
    "the same again": "Label: {label}\nExplanation: {said}\n\nLabel: {label}\nExplanation: x",
}
TASKS = {
    "nli": (NLI, "neutral", "contradiction", PromptItem("i", "A man sleeps.", "Bo sleeps.")),
    "paraphrase": (PARAPHRASE, "-3", "4", PromptItem("i", "Who is he?", "What is he?")),
    "tone": (TONE, "not friendly", "friendly", PromptItem("i", "Go away.")),
}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("form", FORMATS)
def test_answers_in_every_usual_form_are_read(name, form):
    task, label, other, item = TASKS[name]
    prompt = in_context(task, item, [Example(PromptItem("e", "One.", "Two."), other, "So.")]).text
    text = FORMATS[form].replace("OTHER", other)
    text = text.format(
        label=label,
        said=SAID,
        all="a whole number" if task.scale.ordinal else ", ".join(task.scale.labels),
        form="\n".join(prompt.split("\n")[1:4]),
        prompt=prompt + PLAIN_END,
        item=prompt.split("\n\n")[-1],
    )
    assert parse_response(text, task) == ParsedResponse(label, SAID)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Neutral", "neutral"),
        ("ENTAILMENT", "entailment"),
        ("entailed", "entailment"),
        ("Contradictory.", "contradiction"),
        ("neutral (undetermined)", "neutral"),
        ("undetermined", "neutral"),
        ("True", "entailment"),
        ("neutral, because it is no contradiction", "neutral"),
        ("neutral. A contradiction would need more.", "neutral"),
    ],
)
def test_forms_of_a_word(written, label):
    assert parse_response(f"Label: {written}\nExplanation: {SAID}", NLI) == ParsedResponse(
        label, SAID
    )


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("+3", "3"),
        ("−3", "-3"),
        ("–3", "-3"),
        ("3.0", "3"),
        ("0", "0"),
        ("3 (similar)", "3"),
        ("3 - similar", "3"),
        ("3 (on a scale from -5 to 5)", "3"),
        ("3. They ask about 2 things.", "3"),
    ],
)
def test_forms_of_a_number(written, label):
    text = f"Label: {written}\nExplanation: {SAID}"
    assert parse_response(text, PARAPHRASE) == ParsedResponse(label, SAID)


NO_LABEL, OFF, TWO = "no label", "label off the scale", "two labels"
DOUBTFUL = [
    (NLI, "not neutral", OFF),
    (NLI, "non-entailment", OFF),
    (NLI, "non entailment", OFF),
    (NLI, "maybe", OFF),
    (NLI, "neutral or contradiction", TWO),
    (NLI, "neutral/contradiction", TWO),
    (NLI, "neutral, not entailment", TWO),
    (NLI, "neutral (or contradiction)", TWO),
    (NLI, "either neutral or contradiction", TWO),
    (NLI, "entailment, neutral or contradiction", TWO),
    (NLI, "neutral only if he is a man", OFF),
    (NLI, "neutrality", OFF),
    (NLI, "", NO_LABEL),
    (PARAPHRASE, "", NO_LABEL),
    (PARAPHRASE, "7", OFF),
    (PARAPHRASE, "-6", OFF),
    (PARAPHRASE, "3.5", OFF),
    (PARAPHRASE, "3/5", OFF),
    (PARAPHRASE, "3 / 5", OFF),
    (PARAPHRASE, "3 out of 5", OFF),
    (PARAPHRASE, "5%", OFF),
    (PARAPHRASE, "3,000", OFF),
    (PARAPHRASE, "3rd", OFF),
    (PARAPHRASE, "three", OFF),
    (PARAPHRASE, "- 3", OFF),
    (PARAPHRASE, "3-4", TWO),
    (PARAPHRASE, "3 to 4", TWO),
    (PARAPHRASE, "between 3 and 4", TWO),
    (PARAPHRASE, "3 or 4", TWO),
    (PARAPHRASE, "3, maybe 4", TWO),
    (TONE, "friendly or neither", TWO),
    (TONE, "unfriendly", OFF),
    (TONE, "quite friendly", OFF),
]


@pytest.mark.parametrize(("task", "written", "problem"), DOUBTFUL)
def test_a_doubtful_label_is_none(task, written, problem):
    text = f"Label: {written}\nExplanation: {SAID}"
    assert parse_response(text, task) == ParsedResponse("", SAID, problem)


@pytest.mark.parametrize(
    "text",
    [
        "Is it neutral?",
        "It is not neutral.",
        "I doubt that the label is neutral.",
        "I would not say it is neutral.",
        "If the label is neutral, he sleeps.",
        "Some would call this neutral.",
        "The hypothesis is neither entailment nor neutral.",
        "I cannot help with that.",
    ],
)
def test_a_label_that_is_only_mentioned_is_none(text):
    assert parse_response(text, NLI).label == ""
    assert parse_response(text, NLI).problem == NO_LABEL


@pytest.mark.parametrize(
    "text",
    [
        "1. Both ask about tea.\n2. One asks why.",
        "1) Both ask about tea.",
        "It is 5.",
        "3 of the words differ.",
        "The questions share 2 words.",
    ],
)
def test_a_number_in_a_list_or_in_passing_is_no_label(text):
    assert parse_response(text, PARAPHRASE).label == ""


def test_two_answers_are_no_answer():
    text = "Label: neutral\nExplanation: a\n\nOn reflection:\nLabel: contradiction\nExplanation: b"
    assert parse_response(text, NLI) == ParsedResponse("", "a", TWO)
    assert parse_response('{"label": "neutral", "label": "entailment"}', NLI).problem == TWO
    assert parse_response("neutral\nIt is not said.\nentailment", NLI).problem == TWO


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("```\n```", "empty"),
        ("<|im_end|>", "empty"),
        ("<think>Label: neutral\nExplanation: I am not done", "only thinking"),
        ("<think>\n</think>\n", "only thinking"),
    ],
)
def test_nothing_to_read(text, problem):
    assert parse_response(text, NLI) == ParsedResponse("", "", problem)


def test_no_explanation_keeps_the_label():
    for text in ("Label: neutral\nExplanation:", "Label: neutral", "neutral", "Neutral."):
        assert parse_response(text, NLI) == ParsedResponse("neutral", "", "no explanation")


def test_an_explanation_is_one_paragraph_on_one_line():
    text = "Label: neutral\nExplanation: One\nline and\n\tanother.\n\nA second paragraph."
    assert parse_response(text, NLI).explanation == "One line and another."


def test_labels_that_hold_each_other_or_differ_in_case():
    scale = LabelScale(("similar", "somewhat similar", "Yes", "yes", "A", "n/a", "+"))
    task = Task("odd", scale)
    for label in scale.labels:
        for form in ("Label: {}\nExplanation: x", "**Label:** {}\n\n**Explanation:** x"):
            assert parse_response(form.format(label), task) == ParsedResponse(label, "x")
    assert parse_response("Label: YES\nExplanation: x", task).problem == OFF
    assert parse_response("A man sleeps.\nIt is so.", task).label == ""
    assert parse_response("yes, it is", task) == ParsedResponse("yes", "it is")


def test_numbers_as_nominal_labels_are_read_as_numbers():
    task = Task("stars", LabelScale(("1", "2", "3")))
    assert parse_response("**Label:** 2\nExplanation: x", task) == ParsedResponse("2", "x")
    assert parse_response("Label: 2/3\nExplanation: x", task).problem == OFF


@pytest.mark.parametrize(
    ("written", "label"),
    [("3.5", "3.5"), ("3,5", "3.5"), ("+3.50", "3.5"), ("3", "3"), ("3.0", "3"), ("4.5", ""),
     ("3.5 or 4", ""), ("3.5/10", "")],
)  # fmt: skip
def test_half_points_are_read_as_numbers(written, label):
    task = Task("t", LabelScale(("0.5", "3", "3.5", "4"), ordinal=True))
    assert "a number out of 0.5, 3, 3.5 and 4" in response_form(task)
    assert parse_response(f"Label: {written}\nExplanation: So.", task).label == label


def test_what_is_written_for_any_of_many_labels_is_read():
    task = Task("percent", LabelScale.between(0, 400))
    for label in task.scale.labels:
        assert parse_response(write_response(label, "x"), task) == ParsedResponse(label, "x")


def test_long_texts_are_read_quickly():
    # Each would take minutes if the time grew with the square of the length.
    long = 200_000
    for text in (
        "<think>" * (long // 7),
        "{" * long,
        " " * long + "x",
        "\n" * long + "x",
        "*" * long,
        "Label:" * (long // 6),
        "Label: " + "neutral " * (long // 8),
        "It is " * (long // 6),
        "Explanation: " + "word " * (long // 5),
    ):
        assert parse_response(text, NLI).label in ("", "neutral")


def test_problems_are_counted_in_their_order():
    texts = ["", "neutral", "x", "", "Label: neutral\nExplanation: so"]
    counted = count_problems(parse_response(text, NLI) for text in texts)
    assert counted == {"empty": 2, "no label": 1, "no explanation": 1}
    assert list(counted) == [problem for problem in PROBLEMS if problem in counted]
    assert count_problems([]) == {}
