"""The registry of formats: a new one is one object, and appears wherever formats are listed."""

import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.dashboard.data.import_form import format_titles
from capo_core.dashboard.ui.text import markdown
from capo_core.data.columns import parse_mapping
from capo_core.data.formats.base import DownloadSource, Format
from capo_core.data.formats.registry import FORMATS, download_sources
from capo_core.data.importing import read_dataset
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.errors import ConfigError, DataError


def read_votes(source, options, rejected):
    """Lines "annotator: label" about one item, after a first line that names the format."""
    rows = []
    for number, line in enumerate(source.text.splitlines()[1:], 2):
        annotator, colon, label = line.partition(": ")
        if not colon:
            rejected.add(number, "", "the line has no colon", line)
            continue
        rows.append(dict.fromkeys(RAW_COLUMNS, "") | {
            "row": number, "item_id": "1", "text_a": "The sky is blue.",
            "annotator_id": annotator, "label": label,
        })  # fmt: skip
    return RawAnnotations(pd.DataFrame(rows, columns=RAW_COLUMNS, dtype=object), "lines", ("", ""))


def note_mood(path, dataset, notes):
    notes.append(f"{len(dataset.annotators)} voters")
    return {"ann": {"mood": "good"}}


@pytest.fixture
def votes(monkeypatch):
    """A format "votes" in the registry for one test."""
    added = Format(
        name="votes",
        title="Plain votes",
        description="One vote a line",
        read=read_votes,
        matches=lambda source: source.text.startswith("#votes"),
        finish=note_mood,
        downloads=(
            DownloadSource(
                name="votes",
                title="Plain votes",
                description="One vote a line",
                by_hand="write to the town hall, ask for votes.txt",
                pattern="votes.txt",
            ),
        ),
    )
    monkeypatch.setitem(FORMATS, "votes", added)
    return added


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "votes.txt"
    path.write_text("#votes\nann: yes\nbo: no\nspoiled\n")
    return path


@pytest.mark.parametrize("format", ["auto", "votes"])
def test_a_new_format_is_detected_and_read(votes, file, format):
    result = read_dataset(file, name="v", format=format)
    assert result.dataset.annotations["label"].tolist() == ["yes", "no"]
    report = result.report
    assert (report.format, report.unit, report.rows_read, report.rows_kept) == (
        "votes",
        "lines",
        3,
        2,
    )
    assert report.reasons() == {"the line has no colon": 1}
    assert "2 voters" in report.notes and report.people == {"ann": {"mood": "good"}}


def test_without_the_format_the_file_is_a_table(file):
    with pytest.raises(DataError, match="no column was found for annotator_id"):
        read_dataset(file, name="v")
    with pytest.raises(ConfigError, match="'votes' is not known"):
        read_dataset(file, name="v", format="votes")


def test_the_command_line_lists_imports_and_fetches_it(votes, file, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    shown = runner.invoke(app, ["data", "import", "--help"]).output
    assert "votes: Plain votes" in " ".join(shown.split())
    assert "votes" in runner.invoke(app, ["data", "fetch", "--help"]).output
    done = runner.invoke(app, ["data", "import", str(file), "--name", "v", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["format"] == "votes"
    done = runner.invoke(app, ["data", "fetch", "votes"])
    assert done.exit_code == 2
    assert "ask for votes.txt" in done.stderr and "data import votes.txt" in done.stderr


def test_the_import_form_offers_it(votes, tmp_path):
    assert list(format_titles()) == ["auto", *FORMATS]
    assert format_titles()["votes"] == "Plain votes"
    page = AppTest.from_function(_published, kwargs={"root": tmp_path}, default_timeout=240).run()
    assert not page.exception
    shown = " ".join(block.value for block in page.markdown)
    assert "Plain votes" in shown and "VariErr NLI" in shown and "LeWiDi" in shown
    labels = [button.label for button in page.button]
    assert sorted(labels) == [
        f"Download {markdown(source.title)}"
        for source in download_sources().values()
        if source.files and source.is_dataset
    ]
    assert "Download VariErr NLI" in labels and len(labels) == 5


def _published(root):  # a script of its own: it imports what it needs
    from types import SimpleNamespace

    from capo_core.dashboard.data import import_form
    from capo_core.workspace import Workspace as AnyWorkspace

    import_form._download(SimpleNamespace(workspace=AnyWorkspace(root), entries=[]))


def test_formats_without_a_mapping_refuse_one(votes, file):
    with pytest.raises(ConfigError, match="need no column mapping"):
        read_dataset(file, name="v", format="votes", mapping=parse_mapping(["label=x"]))


@pytest.mark.parametrize("name", ["varierr", "lewidi"])
def test_json_formats_refuse_other_files(file, name):
    with pytest.raises(DataError, match="not JSON"):
        read_dataset(file, name="v", format=name)


def test_download_sources_are_those_of_the_formats(votes):
    lewidi = {f"lewidi-{name}" for name in ("csc", "mp", "paraphrase", "varierr")}
    assert {*download_sources()} == {"varierr", "mjd", "votes", *lewidi}
    assert download_sources()["votes"] is votes.downloads[0]


def test_the_guide_lists_every_format():
    """docs/data.md has a table of formats: name, title and description of each."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for each in FORMATS.values():
        sign = each.sign or "everything else"
        start = f"| `{each.name}` | {each.title} | {each.description} | {sign} |"
        (row,) = [line for line in text.splitlines() if line.startswith(start)]
        # What to do where it is not recognised so: `--map` of those formats alone that take it.
        otherwise = row.removeprefix(start).removesuffix("|").strip()
        takes_mapping = each.needs_mapping or each.fields is not None
        assert otherwise and ("--map " in otherwise) == takes_mapping
