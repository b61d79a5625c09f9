"""Prompts and responses as tokens, the same in training and in generation.

Prompt and response are tokenised apart and joined: so the response is the same tokens whatever
the prompt, and no token straddles the border between what is given and what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.errors import ConfigError
from capo_core.imitation.prompts import Prompt

# Where a tokenizer has no chat template, the answer begins after this line. It ends in a line
# break, which no tokenizer in use merges with the letter that follows.
PLAIN_END = "\n\nAnswer:\n"


@dataclass(frozen=True)
class Rendered:
    """A prompt with the responses to it, as token ids; every response ends in the end token."""

    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]


def prompt_text(prompt: Prompt, tokenizer: Any) -> str:
    """The text a model reads: through the chat template where the tokenizer has one.

    Thinking is switched off where a template knows the switch: what is wanted is an answer in a
    fixed form.
    """
    if not getattr(tokenizer, "chat_template", None):
        return prompt.text + PLAIN_END
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt.text}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
    )


def prompt_ids(prompt: Prompt, tokenizer: Any) -> tuple[int, ...]:
    """The prompt's tokens, with the tokenizer's own beginning where it has one."""
    text = prompt_text(prompt, tokenizer)
    # A chat template writes the beginning itself; asking for it again would double it.
    templated = bool(getattr(tokenizer, "chat_template", None))
    return tuple(tokenizer(text, add_special_tokens=not templated)["input_ids"])


def response_ids(response: str, tokenizer: Any) -> tuple[int, ...]:
    """The response's tokens and the end token.

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


def render(prompt: Prompt, responses: Sequence[str], tokenizer: Any) -> Rendered:
    """A prompt and its responses as tokens."""
    return Rendered(
        prompt_ids(prompt, tokenizer),
        tuple(response_ids(response, tokenizer) for response in responses),
    )
