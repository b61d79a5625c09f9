"""Preference rows of other trainers, as the texts prompt, chosen and rejected.

TRL's conversational rows have lists of messages `{role, content}`: `prompt`, `chosen`, `rejected`,
or `chosen` and `rejected` with the prompt in both. LLaMA-Factory has `instruction` and `input` with
the texts `chosen` and `rejected`, or `conversations` and one message each, with `from` and `value`.
A prompt of several turns or with a system message is no text of one user and is refused.
"""

from __future__ import annotations

from typing import Any

from capo_core.errors import DataError

_USER = {"user", "human"}


def plain_texts(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a row with `prompt`, `chosen` and `rejected` as texts; others are left as they are.

    >>> row = {"instruction": "Judge it.", "input": "A.", "chosen": "yes", "rejected": "no"}
    >>> plain_texts(row, "line 1")["prompt"]
    'Judge it.\\nA.'

    Raises:
        DataError: the prompt is not one user message, or an answer not one message.
    """
    row = dict(raw)
    if "prompt" not in row and isinstance(row.get("instruction"), str):
        more = row.get("input")
        parts = [row["instruction"], more if isinstance(more, str) else ""]
        row["prompt"] = "\n".join(part for part in parts if part.strip())
        _refuse_more(row, where)
    if "prompt" not in row and isinstance(row.get("conversations"), list):
        row["prompt"] = row["conversations"]
        _refuse_more(row, where)
    both = [row.get(name) for name in ("chosen", "rejected")]
    if "prompt" not in row and all(isinstance(each, list) and len(each) > 1 for each in both):
        before = [each[:-1] for each in both]
        if before[0] != before[1]:
            raise DataError(
                "chosen and rejected have different prompts",
                where=where,
                expected="the same messages before the last one",
            )
        row["prompt"] = before[0]
        row["chosen"], row["rejected"] = (each[-1:] for each in both)
    if isinstance(row.get("prompt"), list):
        row["prompt"] = _only_text(row["prompt"], "prompt", where, user=True)
    for name in ("chosen", "rejected"):
        if isinstance(row.get(name), dict):
            row[name] = [row[name]]
        if isinstance(row.get(name), list):
            row[name] = _only_text(row[name], name, where, user=False)
    return row


def _refuse_more(row: dict[str, Any], where: str) -> None:
    for name in ("system", "history"):
        if row.get(name):
            raise DataError(
                f"the row has {name!r}, which our prompts do not have",
                where=where,
                expected="one user message as the prompt",
            )


def _only_text(messages: list, name: str, where: str, *, user: bool) -> str:
    """Return the text of the only message."""
    message = messages[0] if len(messages) == 1 else None
    if isinstance(message, dict):
        role = message.get("role", message.get("from"))
        text = message.get("content", message.get("value"))
        if isinstance(text, str) and (role in _USER) == user:
            return text
    what = "one message of the user" if user else "one message of the assistant"
    raise DataError(f"{name} has {len(messages)} messages", where=where, expected=what)
