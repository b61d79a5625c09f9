"""Preference rows of other trainers are read as our own: same prompt, same answers."""

import json

import pytest

from capo_core.errors import DataError
from capo_core.imitation.pairs.files import read_preferences

PROMPT, CHOSEN, REJECTED = "Judge the lamp.", "It is green.", "It is red."


def turn(role, text, keys=("role", "content")):
    return dict(zip(keys, (role, text), strict=True))


def sharegpt(who, text):
    return turn(who, text, ("from", "value"))


ROWS = {
    "TRL, explicit prompt": {
        "prompt": [turn("user", PROMPT)],
        "chosen": [turn("assistant", CHOSEN)],
        "rejected": [turn("assistant", REJECTED)],
    },
    "TRL, implicit prompt": {
        "chosen": [turn("user", PROMPT), turn("assistant", CHOSEN)],
        "rejected": [turn("user", PROMPT), turn("assistant", REJECTED)],
    },
    "LLaMA-Factory, alpaca": {
        "instruction": "Judge",
        "input": "the lamp.",
        "chosen": CHOSEN,
        "rejected": REJECTED,
    },
    "LLaMA-Factory, sharegpt": {
        "conversations": [sharegpt("human", PROMPT)],
        "chosen": sharegpt("gpt", CHOSEN),
        "rejected": sharegpt("gpt", REJECTED),
    },
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("array", [False, True])
def test_rows_of_other_trainers(tmp_path, name, array):
    path = tmp_path / "pairs.json"
    row = {**ROWS[name], "weight": 2}
    path.write_text(json.dumps([row] if array else row))
    (found,) = read_preferences(path).rows
    prompt = "Judge\nthe lamp." if "alpaca" in name else PROMPT
    assert (found.prompt, found.chosen, found.rejected) == (prompt, CHOSEN, REJECTED)
    assert found.weight == 2


@pytest.mark.parametrize(
    "change, words",
    [
        ({"prompt": [turn("system", "Be kind."), turn("user", PROMPT)]}, "prompt has 2 messages"),
        ({"chosen": [turn("user", CHOSEN)]}, "one message of the assistant"),
        ({"chosen": [turn("assistant", CHOSEN)] * 2}, "chosen has 2 messages"),
    ],
)
def test_conversations_of_several_turns_are_refused(tmp_path, change, words):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(ROWS["TRL, explicit prompt"] | change))
    with pytest.raises(DataError, match=words):
        read_preferences(path)
    path.write_text(json.dumps({"instruction": "a", "system": "b", "chosen": "c", "rejected": "d"}))
    with pytest.raises(DataError, match="'system', which our prompts do not have"):
        read_preferences(path)
    both = {
        "chosen": [turn("user", "a"), turn("assistant", "b")],
        "rejected": [turn("user", "c"), turn("assistant", "d")],
    }
    path.write_text(json.dumps(both))
    with pytest.raises(DataError, match="different prompts"):
        read_preferences(path)
