"""The three lines of a profile, read from what a model or a person wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass

from capo_core.imitation.prompts import PROFILE_PARTS


@dataclass(frozen=True)
class ReadProfile:
    """A profile's text in its form, or why there is none.

    Attributes:
        text: one line for each of `PROFILE_PARTS`, in their order; empty where there is a problem.
        problem: empty where the text is in form.
    """

    text: str
    problem: str = ""


def read_profile(written: str) -> ReadProfile:
    """The profile in `written`: each part once, in any order, none of them empty.

    Thinking blocks and prose before the first part, marks of emphasis and of lists do not count.
    Lines below a part's first one belong to it, up to an empty line after the last part.
    """
    answer = written.rpartition("</think>")[2]
    if "<think>" in answer:
        return ReadProfile("", "only thinking")
    names = "|".join(re.escape(part.rstrip(":")) for part in PROFILE_PARTS)
    begins = list(
        re.finditer(
            rf"^\W*(?:\d+[.)]\W*)?\b({names})\b\W{{0,2}}:", answer, re.MULTILINE | re.IGNORECASE
        )
    )
    if not begins:
        return ReadProfile("", "none of the parts is there" if answer.strip() else "empty")
    parts: dict[str, str] = {}
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        name = f"{begin[1].capitalize()}:"
        content = answer[begin.end() : end.start() if end else len(answer)]
        if end is None:
            content = re.split(r"\n\s*\n", content.lstrip(), maxsplit=1)[0]
        content = " ".join(re.sub(r"[*#`]+", " ", content).split())
        if name in parts:
            return ReadProfile("", f"the part {name!r} stands twice")
        if not re.search(r"\w", content):
            return ReadProfile("", f"the part {name!r} is empty")
        parts[name] = content
    missing = [part for part in PROFILE_PARTS if part not in parts]
    if missing:
        return ReadProfile("", f"the part {missing[0]!r} is missing")
    return ReadProfile("\n".join(f"{part} {parts[part]}" for part in PROFILE_PARTS))
