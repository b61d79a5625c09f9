"""A reduction and a representation are added in one place, and appear wherever they are used."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import typer
from helpers.pages import TINY, make, open_page, shown
from typer.testing import CliRunner

from capo_core.cli import stability as cli_stability
from capo_core.dashboard.ui.theme import NEUTRAL, reduction_look
from capo_core.errors import ConfigError
from capo_core.settings import setting_field
from capo_core.stability import store
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.text.reductions import REDUCTIONS, Reduction
from capo_core.text.representations import REPRESENTATIONS, DenseFeatures, Representation

WITHOUT_VOWELS = Reduction(
    "without_vowels",
    "Vowels removed",
    "with vowels removed",
    "Each vowel is removed.",
    change_text=lambda text, inputs, rng: re.sub("[aeiou]", "", text),
    every_measure=True,
    control=Reduction(
        "without_z",
        "Letter z removed",
        "with the letter z removed",
        "Each z is removed.",
        change_text=lambda text, inputs, rng: text.replace("z", ""),
    ),
)


def letter_counts(request):
    counts = [[text.count(letter) for letter in "bcdknrst"] for text in request.texts]
    return DenseFeatures(np.array(counts, dtype=np.float32), standardise=True)


LETTERS = Representation(
    "letters", "Letter counts", "letter counts", "Counts of eight letters.", letter_counts
)
CONFIG = {"representations": ("letters",), "reductions": ("without_vowels",)}


def help_text() -> str:
    """The command's help as an app that is made now prints it, on one line."""
    app = typer.Typer()
    cli_stability.mount(app)
    lines = CliRunner().invoke(app, ["stability", "--help"]).output.replace("│", " ")
    return " ".join(lines.split())


@pytest.fixture
def registered(monkeypatch):
    before = help_text()
    assert "without_vowels" not in before and "letters," not in before
    with pytest.raises(ConfigError, match="without_vowels"):
        StabilityConfig(reductions=("without_vowels",))
    monkeypatch.setitem(REDUCTIONS, WITHOUT_VOWELS.name, WITHOUT_VOWELS)
    monkeypatch.setitem(REPRESENTATIONS, LETTERS.name, LETTERS)


@pytest.mark.usefixtures("registered")
def test_configuration_and_command_line_list_them():
    assert StabilityConfig().reductions[-1] == "without_vowels"  # the full report has them all
    assert "without_vowels" in setting_field(StabilityConfig, "reductions").choices
    assert "letters" in setting_field(StabilityConfig, "representations").choices
    assert StabilityConfig(**CONFIG).to_dict()["reductions"] == ["without_vowels"]
    assert "pos_noise, without_vowels" in help_text()
    assert "pos, letters" in help_text()


@pytest.mark.usefixtures("registered")
def test_report_and_page_show_them(workspace, add):
    dataset = make("mine")
    entry = add(dataset)
    config = replace(TINY, **CONFIG, controls=True)
    report, evidence = compute_report(dataset, config, cache=workspace.cache)
    ladder = report.ladder.to_frame()
    assert set(ladder["reduction"]) == {"without_vowels"}
    assert set(ladder["representation"]) == {"letters"}
    assert "without_z" in set(report.controls.to_frame()["control"])
    assert set(report.reliability.to_frame()["reduction"]) == {"without_vowels"}
    texts = {statement.topic: statement.text for statement in report.statements}
    assert "by letter counts with vowels removed" in texts["headline"]
    assert "letter counts with vowels removed" in texts["null"]

    store.save(report, evidence, workspace)
    app = open_page("stability", dataset=entry.name, rep="letters", red="without_vowels")
    assert not app.exception
    reductions = next(box for box in app.selectbox if box.label == "Reduction")
    assert reductions.options == ["Vowels removed"]
    assert "Letter counts, vowels removed: " in shown(app)
    assert report.headline.split(":")[0] in shown(app)
    assert reduction_look("without_vowels").color != NEUTRAL
    numbers = open_page("stability", dataset=entry.name, part="numbers")
    assert not numbers.exception
    table = next(frame.value for frame in numbers.dataframe if "control" in frame.value.columns)
    assert {"Vowels removed"} <= set(table["reduction"])
    assert {"Letter z removed"} <= set(table["control"])
    assert {"Letter counts"} <= set(table["representation"])
