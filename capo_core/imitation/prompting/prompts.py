"""Methods, prompts and responses: one builder per method, for any task.

A prompt has the task and the format of the answer at the top, the information on the annotator
below it, and the item last, so that everything before the item is the same for all items of a run
(servers cache it). Every text is pinned by a golden file in `tests/golden`. A response has one
format, in which models are asked to answer, trained, and parsed (see `imitation.parsing`):

    Label: neutral
    Explanation: The premise does not say who repaired it.

Prompt and response are tokenised separately and joined, in training as in generation: so the
response has the same tokens whatever the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from capo_core.errors import ConfigError
from capo_core.formatting import MOST_NAMES, capitalised, listed
from capo_core.imitation.prompting.chat_template import conversation, has_template
from capo_core.task import NLI, Task

LABEL_MARK = "Label:"
EXPLANATION_MARK = "Explanation:"

# The prompts of the first version name the labels and the two lines of an answer. Adapters of
# former builds and the embedded base model are trained on them, so they stay as they are. Those of
# the second explain the labels and show the form with a worked example of another task: an instruct
# model that has not been trained on the form follows them.
FIRST_VERSION, LATEST_VERSION = 1, 2


@dataclass(frozen=True)
class PromptStyle:
    """Version and form of a prompt.

    Attributes:
        version: `FIRST_VERSION` to `LATEST_VERSION`.
        form: show the form of an answer; needless where label and marks are written for the model
            (in the first version it is always shown).
    """

    version: int = FIRST_VERSION
    form: bool = True


FIRST_STYLE = PromptStyle()


def write_response(label: str, explanation: str) -> str:
    """Return the response in its fixed format; white space becomes single spaces.

    An empty explanation is written as a bare mark: a response always has two lines.
    """
    return f"{LABEL_MARK} {label}\n{EXPLANATION_MARK} {' '.join(explanation.split())}".rstrip()


def response_form(task: Task) -> str:
    """Return the lines of a prompt that specify this format."""
    labels = task.scale.labels
    if task.scale.ordinal:
        wanted = (
            f"a whole number from {labels[0]} to {labels[-1]}"
            if task.scale.whole
            else f"a number out of {_numbers(labels)}"
        )
    else:
        wanted = f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) > 1 else labels[0]
    return f"Answer in two lines.\n{LABEL_MARK} {wanted}\n{EXPLANATION_MARK} one or two sentences"


@dataclass(frozen=True)
class Method:
    """A way of writing in an annotator's place.

    Attributes:
        name: in settings, files and commands.
        title: on every page and in every report.
        short_title: where there is room for a word.
        stage: the training its adapter comes from, "sft" or "capo"; "" for prompting.
        control: it is no proposal for use, but shows what another method owes to what.
        examples: its prompt has in-context examples.
        own_words: labels have abstract words of the annotator's own (`label_words`).
    """

    name: str
    title: str
    short_title: str
    stage: str = ""
    control: bool = False
    examples: bool = False
    own_words: bool = False

    @property
    def trained(self) -> bool:
        """Return whether it needs an adapter."""
        return bool(self.stage)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("zero_shot", "Zero-shot", "Zero-shot"),
        Method("icl", "In-context learning", "ICL", examples=True),
        Method("profile", "Value profile", "Profile"),
        Method("sft", "SFT", "SFT", "sft"),
        Method("capo", "CAPO", "CAPO", "capo"),
        Method(
            "icl_own_words",
            "In-context learning, own label words",
            "ICL words",
            control=True,
            examples=True,
            own_words=True,
        ),
        Method("capo_plain", "CAPO, plain form", "Plain", "capo", control=True),
        Method("sft_long", "SFT, trained as long as CAPO", "SFT long", "sft", control=True),
        Method("sft_shuffled", "SFT, annotators shuffled", "Shuffled", "sft", control=True),
    )
}
METHOD_NAMES = tuple(METHODS)
USUAL_METHODS = tuple(name for name, method in METHODS.items() if not method.control)
METHOD_TITLES = {name: method.title for name, method in METHODS.items()}
TRAINED = tuple(name for name, method in METHODS.items() if method.trained)
# What `config.json` of a run with an adapter says of its stage.
TRAINING_STAGES = tuple(dict.fromkeys(METHODS[name].stage for name in TRAINED))


def method_name(source: str) -> str:
    """Return a source's title: "zero_shot (Qwen3-4B)" → "Zero-shot (Qwen3-4B)"."""
    head, space, rest = source.partition(" ")
    return METHOD_TITLES[head] + space + rest if head in METHOD_TITLES else source


@dataclass(frozen=True)
class PromptItem:
    """An item in a prompt; `text_b` is empty for one-text tasks."""

    item_id: str
    text_a: str
    text_b: str = ""


@dataclass(frozen=True)
class Example:
    """An item with one annotator's own response to it."""

    item: PromptItem
    label: str
    explanation: str


@dataclass(frozen=True)
class Prompt:
    """A prompt as one user message; `render` tokenises it.

    Attributes:
        head: the beginning of `text` that is the same for other items too.
        close_thinking: where a chat template opens a thinking block, close it, empty.
    """

    text: str
    head: str = ""
    close_thinking: bool = False


def zero_shot(
    task: Task, item: PromptItem, *, annotator: str = "", style: PromptStyle = FIRST_STYLE
) -> Prompt:
    """Return the prompt with the task alone; SFT and CAPO are trained on it too.

    Args:
        annotator: name in the prompt if one adapter serves all annotators. It follows the item, so
            that the item's tokens can be shared by all of them.
    """
    named = f"\nAnnotator: {annotator}" if annotator else ""
    return _asked(style, f"{_head(task, style)}\n\n", f"{item_lines(task, item)}{named}")


def in_context(
    task: Task, item: PromptItem, examples: Sequence[Example], *, style: PromptStyle = FIRST_STYLE
) -> Prompt:
    """Return the prompt with the task and the annotator's answers to other items, in this order."""
    shown = "\n\n".join(_example_lines(task, example) for example in examples)
    return _asked(
        style,
        f"{_head(task, style)}\n\nThis is how one annotator answered:\n\n{shown}\n\n"
        "Answer the next one as this annotator would.\n\n",
        item_lines(task, item),
    )


def with_profile(
    task: Task, item: PromptItem, profile: str, *, style: PromptStyle = FIRST_STYLE
) -> Prompt:
    """Return the prompt with the task and a profile of the annotator (see `ask_for_profile`)."""
    return _asked(
        style,
        f"{_head(task, style)}\n\nAbout the annotator:\n{profile.strip()}\n\n"
        "Answer as this annotator would.\n\n",
        item_lines(task, item),
    )


def _asked(style: PromptStyle, head: str, rest: str) -> Prompt:
    return Prompt(head + rest, head, style.version > FIRST_VERSION)


# The parts of a profile. Those of the first version are lines; the embedded base model is trained
# to write them. Those of the second are the paper's: label bias, explanation manner, and numbered
# rules of imitation.
PROFILE_PARTS = ("Labels:", "Manner:", "Rules:")
PROFILE_SECTIONS = ("Label bias:", "Explanation manner:", "Imitation rules:")
PROFILE_RULES = 5
# How the lines of a profile begin where they are begun for the model: small models copy a form.
# {labels} stands for the label words.
PROFILE_BEGINS = (
    f"{PROFILE_SECTIONS[0]} Of {{labels}}, the label given most often is",
    f"{PROFILE_SECTIONS[1]} The explanations",
    f"{PROFILE_SECTIONS[2]}\n1. Choose the label",
    "2. Begin the explanation with",
    "3. Use words such as",
    "4. Write about",
    "5. Do not",
)


def ask_for_profile(
    task: Task, examples: Sequence[Example], *, style: PromptStyle = FIRST_STYLE
) -> Prompt:
    """Return the prompt that requests a description of an annotator from examples."""
    shown = "\n\n".join(_example_lines(task, example) for example in examples)
    about = f"Task: {task.name}. {task.instruction}".rstrip()
    asked = "Describe this annotator for somebody who has to answer in their place"
    how = (
        "how they explain: openings, typical words and phrases, length, quoting, hedging, "
        "punctuation"
    )
    which = "which labels they prefer or avoid, and when"
    if not style.form:
        return _described(
            about, shown, f"{asked}: {which}, {how.replace(':', ' –')}, and rules to follow."
        )
    if style.version == FIRST_VERSION:
        names, rules, form = PROFILE_PARTS, " what to do to answer like them", ", in three lines.\n"
    else:
        names, form = PROFILE_SECTIONS, ", in this form:\n"
        rules = f"\n1. what to do to answer like them, one rule a line, {PROFILE_RULES} rules"
    parts = zip(names, (f" {which}", f" {how}", rules), strict=True)
    lines = "\n".join(f"{part}{meant}" for part, meant in parts)
    prompt = _described(about, shown, f"{asked}{form}{lines}")
    return replace(prompt, close_thinking=style.version > FIRST_VERSION)


def _described(about: str, shown: str, asked: str) -> Prompt:
    text = f"{about}\n\nThis is how one annotator answered:\n\n{shown}\n\n{asked}"
    return Prompt(text, close_thinking=True)


def _head(task: Task, style: PromptStyle) -> str:
    about = f"Task: {task.name}. {task.instruction}".rstrip()
    if style.version == FIRST_VERSION:
        return f"{about}\n{response_form(task)}"
    form = f" {WORKED_FORM}" if style.form else ""
    return f"{about}\n\n{label_lines(task)}\n\n{_TO_DO}{form}"


_TO_DO = "Give one label, then explain it in one or two sentences."

# A worked example of the form, for a model that writes its label itself. Its task is another one,
# so that neither its label nor its explanation can pass for an answer; a form with placeholders is
# copied by small models, and where the label is chosen by its score, so would this be.
WORKED_FORM = (
    "This is the form, with another question:\nQuestion: Is a whale a fish, yes or no?\n"
    f"{LABEL_MARK} no\n{EXPLANATION_MARK} A whale breathes air and feeds its young with milk."
)

# Label words and their meaning, for each known set of labels; other labels mean what they say.
LABEL_MEANINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    NLI.scale.labels: (
        "if the premise is true, the hypothesis is true too",
        "the premise does not tell whether the hypothesis is true",
        "if the premise is true, the hypothesis is false",
    ),
}


def _numbers(labels: Sequence[str]) -> str:
    """Return "0.5, 1 and 1.5"; of many, "0, 0.5, … 10"."""
    if len(labels) > MOST_NAMES:
        return f"{labels[0]}, {labels[1]}, … {labels[-1]}"
    return listed(labels)


def label_lines(task: Task) -> str:
    """Return the lines of a prompt that name the labels, with their meaning where it is known."""
    labels = task.scale.labels
    if task.scale.ordinal and len(labels) > 1:
        if not task.scale.whole:
            return f"The labels are the numbers {_numbers(labels)}."
        return f"The labels are the whole numbers from {labels[0]} to {labels[-1]}."
    meant = label_meanings(labels)
    lines = [f"- {label}{': ' * (label in meant)}{meant.get(label, '')}" for label in labels]
    return "The labels are:\n" + "\n".join(lines)


def label_meanings(labels: Sequence[str]) -> dict[str, str]:
    """Return the meaning of each label, in whatever order they stand; empty where unknown."""
    names = sorted(label.casefold() for label in labels)
    for known, meant in LABEL_MEANINGS.items():
        if names == sorted(known):
            meaning = dict(zip(known, meant, strict=True))
            return {label: meaning[label.casefold()] for label in labels}
    return {}


def item_lines(task: Task, item: PromptItem) -> str:
    """Return the lines of a prompt that show an item: each text with its role before it."""
    lines = [f"{capitalised(task.role_a or 'text')}: {_line(item.text_a)}"]
    if item.text_b:
        lines.append(f"{capitalised(task.role_b or 'second text')}: {_line(item.text_b)}")
    return "\n".join(lines)


def _example_lines(task: Task, example: Example) -> str:
    return f"{item_lines(task, example.item)}\n{write_response(example.label, example.explanation)}"


def _line(text: str) -> str:
    return " ".join(text.split())


# Where a tokenizer has no chat template, the answer begins after this line. It ends in a line
# break, which no tokenizer in use merges with the letter that follows.
PLAIN_END = "\n\nAnswer:\n"


def common_length(rows: Sequence[Sequence[int]]) -> int:
    """Return the number of tokens that all rows begin with."""
    first, last = min(rows), max(rows)  # the least alike of all, in lexicographic order
    pairs = zip(first, last, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def common_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """Return with how many tokens all prompts begin; at least one of each stays beyond them."""
    return min(common_length(prompts), min(map(len, prompts)) - 1)


@dataclass(frozen=True)
class Rendered:
    """A prompt with the responses to it, as token ids; every response ends in the end token.

    Attributes:
        heads: for each response the number of its tokens before the explanation: label and marks.
            Empty where the responses are not divided.
    """

    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    heads: tuple[int, ...] = ()


def prompt_text(prompt: Prompt, tokenizer: Any) -> str:
    """Return the text a model reads, through the chat template if the tokenizer has one.

    What a template adds by itself (SmolLM2's system line) is part of the prompt, in training as in
    generation; a date is always the same one (see `chat_template`). Thinking is switched off if the
    template supports it, since answers have a fixed format.

    Raises:
        ConfigError: the chat template refuses the prompt.
    """
    if not has_template(tokenizer):
        return prompt.text + PLAIN_END
    text = conversation(tokenizer, prompt.text, generation_prompt=True)
    if prompt.close_thinking and text.rstrip().endswith("<think>"):
        text = f"{text.rstrip()}\n\n</think>\n\n"
    return text


def prompt_ids(prompt: Prompt, tokenizer: Any) -> tuple[int, ...]:
    """Return the prompt's tokens, with the tokenizer's own beginning if it has one."""
    text = prompt_text(prompt, tokenizer)
    # A chat template writes the beginning itself; asking for it again would double it.
    return tuple(tokenizer(text, add_special_tokens=not has_template(tokenizer))["input_ids"])


def response_ids(response: str, tokenizer: Any) -> tuple[int, ...]:
    """Return the response's tokens and the end token.

    Raises:
        ConfigError: the tokenizer has no end token, so that no model could learn to stop.
    """
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            "the tokenizer has no end-of-text token",
            where=str(getattr(tokenizer, "name_or_path", "")),
            todo="choose a model whose tokenizer defines eos_token",
        )
    ids = tokenizer(response, add_special_tokens=False)["input_ids"]
    return (*ids, tokenizer.eos_token_id)


def head_tokens(response: str, tokenizer: Any) -> int:
    """Return the number of a response's tokens that begin before its explanation does.

    0 for a response without the mark of an explanation.
    """
    head, mark, _ = response.partition(f"\n{EXPLANATION_MARK}")
    if not mark:
        return 0
    whole = tokenizer(response, add_special_tokens=False)["input_ids"]
    if getattr(tokenizer, "is_fast", False):
        places = tokenizer(response, add_special_tokens=False, return_offsets_mapping=True)
        end = len(head + mark)
        return sum(start < end for start, _ in places["offset_mapping"])
    alone = tokenizer(head + mark, add_special_tokens=False)["input_ids"]
    same = (n for n, pair in enumerate(zip(alone, whole, strict=False)) if pair[0] != pair[1])
    return next(same, min(len(alone), len(whole)))


def render(prompt: Prompt, responses: Sequence[str], tokenizer: Any) -> Rendered:
    """Return a prompt and its responses as tokens."""
    return Rendered(
        prompt_ids(prompt, tokenizer),
        tuple(response_ids(response, tokenizer) for response in responses),
        tuple(head_tokens(response, tokenizer) for response in responses),
    )
