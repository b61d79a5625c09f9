"""Settings: checked once, and read from their fields by everything else."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from capo_core.cli.options import changed, with_options
from capo_core.cli.settings_table import STAGES, settings_page
from capo_core.errors import ConfigError
from capo_core.settings import normalised, setting, setting_field, settings, settings_fields
from capo_core.workspace import content_hash

KNOWN = ["warm", "cold"]


@settings("Stove")
class Stove:
    power: float = setting(1.5, "Power", "Heat of the plate.", gt=0, lt=3)
    plates: tuple[int, ...] = setting((1, 2), "Plates", "Plates in use.", ge=1, le=4)


@settings("Kitchen")
class Kitchen:
    cooks: int = setting(2, "Cooks", "People who cook.", ge=1, le=10)
    rate: float | None = setting(None, "Rate", "Speed.", ge=0, empty="by the number of cooks")
    mood: str = setting("warm", "Mood", "Of the room.", choices=lambda: KNOWN)
    open: bool = setting(False, "Open", "Guests may look in.")
    stove: Stove = setting(default_factory=Stove)

    def __post_init__(self) -> None:
        if self.open and self.cooks < 2:
            raise ConfigError("an open kitchen needs two cooks", expected="2 cooks or more")


@pytest.mark.parametrize(
    ("values", "where", "expected"),
    [
        ({"cooks": 0}, "Kitchen, cooks", "a whole number from 1 to 10"),
        ({"cooks": "3"}, "Kitchen, cooks", "a whole number from 1 to 10"),
        ({"cooks": True}, "Kitchen, cooks", "a whole number from 1 to 10"),
        ({"rate": -1.0}, "Kitchen, rate", "a number of 0 or more, or nothing (by the number of"),
        ({"rate": float("nan")}, "Kitchen, rate", "a number of 0 or more"),
        ({"mood": "hot"}, "Kitchen, mood", "one of warm, cold"),
        ({"stove": {"power": 3.0}}, "Stove, power", "a number above 0 to below 3"),
        ({"stove": {"plates": [1, 9]}}, "Stove, plates", "whole numbers from 1 to 4"),
    ],
)
def test_a_wrong_value_is_told_by_its_field(values, where, expected):
    with pytest.raises(ConfigError) as error:
        Kitchen(**values)
    assert error.value.where == where
    assert error.value.expected.startswith(expected)


def test_a_name_that_is_no_setting():
    with pytest.raises(ConfigError, match="there is no setting 'cook' in Kitchen"):
        Kitchen.from_dict({"cook": 1})


def test_checks_over_several_fields_stay_their_own():
    with pytest.raises(ConfigError, match="needs two cooks"):
        Kitchen(cooks=1, open=True)


def test_json_gives_the_same_settings_back():
    kitchen = Kitchen(cooks=np.int64(3), stove=Stove(plates=[4]))
    raw = json.loads(json.dumps(kitchen.to_dict()))
    assert raw == {"cooks": 3, "rate": None, "mood": "warm", "open": False,
                   "stove": {"power": 1.5, "plates": [4]}}  # fmt: skip
    assert Kitchen.from_dict(raw) == kitchen
    assert hash(Kitchen.from_dict(raw)) == hash(kitchen)


def test_settings_are_frozen_and_replaced_with_checks():
    with pytest.raises(FrozenInstanceError):
        Kitchen().cooks = 3
    with pytest.raises(ConfigError):
        replace(Kitchen(), cooks=11)


def test_whole_numbers_are_those_of_the_field_so_that_0_and_0_0_have_one_hash():
    raw = {"cooks": 2, "rate": 0, "stove": {"power": 1, "plates": [1]}, "other": 3}
    text = json.dumps(normalised(Kitchen, raw))
    assert text == ('{"cooks": 2, "rate": 0.0, "stove": {"power": 1.0, "plates": [1]}, "other": 3}')
    same = Kitchen(rate=0, stove={"power": 1}), Kitchen(rate=0.0, stove={"power": 1.0})
    assert content_hash(same[0].to_dict()) == content_hash(same[1].to_dict())


def test_fields_are_read_with_their_paths():
    fields = {field.path: field for field in settings_fields(Kitchen)}
    assert list(fields) == ["cooks", "rate", "mood", "open", "stove.power", "stove.plates"]
    assert (fields["cooks"].kind, fields["cooks"].low, fields["cooks"].high) == ("whole", 1, 10)
    assert fields["rate"].optional and fields["stove.plates"].kind == "wholes"
    assert setting_field(Kitchen, "stove.power").title == "Power"


def test_a_choice_added_to_a_registry_is_allowed_at_once(monkeypatch):
    monkeypatch.setitem(globals(), "KNOWN", [*KNOWN, "hot"])
    assert Kitchen(mood="hot").mood == "hot"
    assert setting_field(Kitchen, "mood").choices == ("warm", "cold", "hot")


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer()

    @app.command("cook")
    @with_options(Kitchen, without=["open"], names={"stove.power": "heat"})
    def cook(name: str, given: dict[str, Any]) -> None:
        """Cook something."""
        typer.echo(json.dumps([name, changed(Kitchen(), given).to_dict()]))

    app.command("wash")(lambda: None)
    done = CliRunner().invoke(app, ["cook", *words])
    return done.exit_code, done.output


def test_options_are_those_of_the_fields():
    code, output = run("soup", "--cooks", "4", "--heat", "2", "--plates", "3", "--plates", "4")
    name, made = json.loads(output)
    assert code == 0 and name == "soup"
    assert made == Kitchen(cooks=4, stove=Stove(2.0, (3, 4))).to_dict()


def test_help_has_the_fields_description_choices_and_default():
    code, output = run("--help")
    text = " ".join(output.replace("│", " ").split())
    assert code == 0
    assert "Of the room. One of: warm, cold. Default: warm." in text
    assert "Default: by the number of cooks." in text and "--open" not in text


def test_the_page_of_settings_is_that_of_the_classes():
    page = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_page(), "make docs"


def test_the_page_has_every_settings_class():
    """Stages inside another one are listed there, base classes by those that inherit from them."""
    root = Path(__file__).resolve().parents[1] / "capo_core"
    written = {
        name
        for path in root.rglob("*.py")
        for name in re.findall(r"^@settings\(.*\)\nclass (\w+)", path.read_text(), re.MULTILINE)
    }
    listed = {base.__name__ for stage in STAGES for base in stage.__mro__}
    for stage in STAGES:
        hints = typing.get_type_hints(stage)
        inner = [hints[field.name] for field in fields(stage)]
        listed |= {hint.__name__ for hint in inner if is_dataclass(hint)}
    assert len(written) > 20
    assert written - listed == set()


def test_the_page_names_option_range_and_default():
    row = next(line for line in settings_page().splitlines() if line.startswith("| `lora.rank`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:] == ["a whole number of 1 or more", "16", "`--rank`"]


def test_settings_of_two_stages_in_one_command():
    app = typer.Typer()

    @app.command("cook")
    @with_options(Kitchen, only=["cooks"], defaults={"cooks": 5})
    @with_options(Stove, only=["power"], into="heat")
    def cook(given: dict[str, Any], heat: dict[str, Any]) -> None:
        typer.echo(json.dumps([given, heat]))

    app.command("wash")(lambda: None)
    done = CliRunner().invoke(app, ["cook", "--cooks", "3", "--power", "2.5"])
    assert json.loads(done.output) == [{"cooks": 3}, {"power": 2.5}]
    assert json.loads(CliRunner().invoke(app, ["cook"]).output) == [{}, {}]
    assert "Default: 5." in CliRunner().invoke(app, ["cook", "--help"]).output


def test_a_secret_is_not_shown():
    @settings("Safe")
    class Safe:
        code: str = setting("", "Code", secret=True)

    assert "1234" not in repr(Safe("1234")) and Safe("1234").code == "1234"


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"parts": "x"}, "an object"), ({"parts": {"a": 1}, "name": 3}, "a text")],
)
def test_what_is_no_single_value_is_an_object(values, expected):
    @settings("Box")
    class Box:
        parts: Mapping[str, Any] = setting(title="Parts")
        name: str | tuple[str, ...] = setting("", "Name")

    with pytest.raises(ConfigError) as error:
        Box(**values)
    assert error.value.expected == expected
