"""Chat templates: the text that a model reads, the same on every day.

A template is a program of the model's makers. Some write today's date into the prompt, some refuse
a conversation without a system message, some want the message in parts.
"""

from __future__ import annotations

from typing import Any

from capo_core.errors import ConfigError

# The day in every prompt whose template writes one (Llama 3.1 and 3.2, Granite): the default of
# Llama 3.2's template. With it, training, generation and a resumed run read the same text, and a
# run is known by the template's file and this day in the base's fingerprint (`rendering`). The
# macro takes the place of the function that tells the present day.
FIXED_DAY = "26 Jul 2024"
_SAME_DAY = (
    "{%- macro strftime_now(format) -%}{%- if format == '%Y-%m-%d' -%}2024-07-26"
    "{%- else -%}" + FIXED_DAY + "{%- endif -%}{%- endmacro -%}"
)
# What a template gets that refuses a prompt without a system message.
SYSTEM_MESSAGE = "You are a helpful assistant."


_FIRST_RENDERING = ("26 Jul 2024", "You are a helpful assistant.")


def rendering() -> str:
    """Return what a prompt depends on beside the template's file, for a base's fingerprint.

    "" with the day and system message of the first version that fixed them, so that runs of that
    version are known by the same fingerprint.
    """
    now = (FIXED_DAY, SYSTEM_MESSAGE)
    return "" if now == _FIRST_RENDERING else f"day {FIXED_DAY}\nsystem {SYSTEM_MESSAGE}\n"


def has_template(tokenizer: Any) -> bool:
    """Return whether a tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


def conversation(
    tokenizer: Any, message: str, *, answer: str | None = None, generation_prompt: bool = False
) -> str:
    """Return a message of the user, and an answer to it, as the chat template writes them.

    The message stands alone: some templates refuse a system message. Where a template refuses it
    alone, it gets `SYSTEM_MESSAGE` first; where it wants a list of parts, it gets one.

    Args:
        answer: None for none.
        generation_prompt: whether the text ends where the model's answer begins.

    Raises:
        ConfigError: the template refuses all forms, or leaves the message out.
    """
    turns = [("user", message)] + ([] if answer is None else [("assistant", answer)])
    with_system = [("system", SYSTEM_MESSAGE), *turns]
    refusal = ""
    for attempt, parts in ((turns, False), (with_system, False), (turns, True)):
        try:
            text = _rendered(tokenizer, attempt, parts, generation_prompt)
        except ValueError as error:
            refusal = refusal or str(error)
            continue
        if all(word in text for word in (*message.split()[:1], *message.split()[-1:])):
            return text
        refusal = refusal or "it leaves the message of the user out"
    raise ConfigError(
        f"the model's chat template cannot write the prompt: {refusal}",
        where=str(getattr(tokenizer, "name_or_path", "")) or None,
        expected="a template that takes one message of the user, with or without a system message",
        todo="correct chat_template.jinja in the model's folder (or chat_template in its "
        "tokenizer_config.json), take it out so that prompts are written without a template, or "
        "choose another base model",
    )


def _rendered(
    tokenizer: Any, turns: list[tuple[str, str]], parts: bool, generation_prompt: bool
) -> str:
    """Return the text of a conversation; `ValueError` with the template's words if it refuses."""
    # transformers imports Jinja only with a template; so does this.
    from jinja2.exceptions import TemplateError

    template = tokenizer.get_chat_template()
    messages = [
        {"role": role, "content": [{"type": "text", "text": content}] if parts else content}
        for role, content in turns
    ]
    try:
        return tokenizer.apply_chat_template(
            messages,
            chat_template=_SAME_DAY + template if "strftime_now" in template else None,
            tokenize=False,
            add_generation_prompt=generation_prompt,
            enable_thinking=False,
            date_string=FIXED_DAY,
        )
    except (TemplateError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(str(error).strip().rstrip(".") or type(error).__name__) from None
