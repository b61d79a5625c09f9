"""Surveys whose reasons are short or asked for in any language, and those of two questions."""

import pytest
from helpers.field_files import csv_of, found, write

from capo_core.data.columns import ColumnMapping
from capo_core.errors import DataError

SHORT = ("rude", "very nice", "rude", "too direct", "normal", "rude")


def survey(why, yes="Yes", no="No", items=("Is A polite?", "Is B polite?"), total=()):
    """Return a form in which six people rate two items and say why in few words."""
    times, names = ("Timestamp", *(f"2024/1/{n} 10:00:00" for n in range(1, 7))), "PQRSTU"
    rows = [[times[0], "Name", items[0], why[0], items[1], why[1], *total]]
    for n, who in enumerate(names):
        labels = yes if n % 2 else no, no if n % 3 else yes
        reasons = SHORT[n], SHORT[(n + 1) % 6]
        points = [n] if total else []
        rows.append([times[n + 1], who, labels[0], reasons[0], labels[1], reasons[1], *points])
    return csv_of(rows)


@pytest.mark.parametrize(
    ("why", "options"),
    [
        (["Begründe deine Wahl"] * 2, {"yes": "Ja", "no": "Nein"}),
        (["What made you choose that?"] * 2, {}),
        (["Podrías explicar tu motivo"] * 2, {}),
        (["请说明理由"] * 2, {"yes": "是", "no": "否", "total": ["总分"]}),
        (["2、理由", "4、理由"], {"items": ("1、今天很好，是否礼貌？", "3、滚开，是否礼貌？")}),
        (["왜 그렇게 생각합니까 이유는"] * 2, {"total": ["Score"]}),
    ],
)
def test_short_reasons_are_explanations(tmp_path, why, options):
    answers, _ = found(write(tmp_path, "x.csv", survey(why, **options)))
    assert len(answers) == 12 and len({text for _, text in answers}) == 2
    assert {label for label, _ in answers.values()} == {
        options.get("yes", "Yes"), options.get("no", "No")}  # fmt: skip
    first = min(text for _, text in answers)
    assert {answers[who, first][1] for who in "PRU"} == {"rude"}


def test_two_questions_of_each_item_are_asked_about(tmp_path):
    path = write(tmp_path, "x.csv", survey(["Kio gvidis vin tie ĉi?", "Kio gvidis vin nun?"]))
    with pytest.raises(DataError, match="answer different questions") as asked:
        found(path)
    assert asked.value.option == "--map label=label" and "Why?" in asked.value.todo
    answers, _ = found(path, mapping=ColumnMapping(label="label"))  # the user says: one scale
    assert len(answers) == 24


def test_answers_that_nobody_shares_are_one_scale(tmp_path):
    """Numbers are one scale; and few people may agree on each item."""
    numbers = survey(["Is C polite?", "Is D polite?"])
    for old, new in {"Yes": "1", "No": "2", "rude": "4", "very nice": "5", "too direct": "4",
                     "normal": "3"}.items():  # fmt: skip
        numbers = numbers.replace(old, new)
    assert len(found(write(tmp_path, "x.csv", numbers))[0]) == 24
    two = "".join(survey(["Is C polite?", "Is D polite?"]).splitlines(keepends=True)[:2])
    two = two.replace("No,rude,Yes,very nice", "No,Yes,Yes,No")
    assert len(found(write(tmp_path, "y.csv", two))[0]) == 4
