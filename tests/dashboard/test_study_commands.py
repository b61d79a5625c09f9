"""Commands that a study's page shows."""

import shlex

from capo_core.dashboard.studies.export import train_on_pairs
from capo_core.study.analysis.preference_pairs import PairFilter


def test_the_commands_say_what_was_chosen_on_the_page():
    mu = "human : sft = 0.8/40, human:capo=.6"
    write, train = train_on_pairs(
        "s1", "data", ["ann", "bob"], PairFilter("quality", 0.85), mu
    ).split("\n")
    assert write == (
        "python -m capo_core study export-pairs s1 s1-pairs.jsonl --rule quality "
        "--confident 0.85 --mu human:sft=0.8/40 --mu human:capo=.6"
    )
    assert train == (
        "python -m capo_core train capo --dataset data --annotator ann bob "
        "--preferences s1-pairs.jsonl"
    )


def test_names_are_quoted_for_the_shell():
    names = ["a b", "$(rm -rf ~)", "it's"]
    lines = train_on_pairs("s1", "data", names, PairFilter("majority")).split("\n")
    assert len(lines) == 2 and "--confident" not in lines[0] and "--mu" not in lines[0]
    assert "--rule majority --min-votes 3" in lines[0]
    words = shlex.split(lines[1])
    assert words[words.index("--annotator") + 1 : words.index("--preferences")] == names
