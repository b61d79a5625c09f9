"""The data commands, as a person or a script calls them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from helpers.data_files import ROWS, csv_of, explanation, jsonl_of, row, varierr_item
from typer.testing import CliRunner

from capo_core.cli import app as commands
from capo_core.cli import stability
from capo_core.cli.data import data_app
from capo_core.cli.support import print_errors, repeat_names
from capo_core.data.formats.registry import download_sources
from capo_core.data.importing import read_dataset
from capo_core.errors import DataError


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "votes.csv").write_text(csv_of([*ROWS, row("i3", label="")]), encoding="utf-8")

    def call(*arguments, code=0):
        result = CliRunner().invoke(data_app, [str(each) for each in arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout) if "--json" in arguments else result

    return call


def test_import_prints_what_the_issue_asks_for(run):
    told = run("import", "votes.csv", "--name", "votes", "--json")
    expected = {
        "name": "votes",
        "task": "natural language inference",
        "items": 2,
        "annotators": 2,
        "annotations": 4,
        "kept": 4,
        "rows_read": 5,
        "format": "table",
    }
    assert {key: told[key] for key in expected} == expected
    assert told["set_aside"]["count"] == 1
    assert told["set_aside"]["reasons"] == {"the label is missing": 1}
    assert told["set_aside"]["rows"][0]["row"] == 6
    assert len(told["fingerprint"]) == 64
    (entry,) = [e for e in run("list", "--json") if not e["shipped"]]
    assert (entry["name"], entry["fingerprint"]) == ("votes", told["fingerprint"])


def test_show_has_the_agreement_of_the_labels_with_its_metric(run):
    labels = ("entailment", "neutral", "contradiction")
    rows = [
        row(f"i{k}", who, labels[k // spread % 3], "", (f"Text {k}.", ""))
        for k in range(20)
        for who, spread in (("ann", 1), ("ben", 2))
    ]
    Path("labels.csv").write_text(csv_of(rows), encoding="utf-8")
    run("import", "labels.csv", "--name", "labels")
    alpha = run("show", "labels", "--json")["agreement"]["krippendorff_alpha"]
    assert alpha["metric"] == "nominal metric" and alpha["n"] == 20
    assert alpha["low"] < alpha["value"] < alpha["high"]
    said = " ".join(run("show", "labels").stdout.split())
    assert "Krippendorff's alpha of the labels (nominal metric):" in said
    assert "(95 % interval), 20 items with two annotators or more." in said


@pytest.mark.parametrize(
    "labels",
    [[str(k) for k in range(101)], [f"a long name of the label {k}" for k in range(12)]],
    ids=["a scale of 0 to 100", "long names"],
)
def test_label_use_can_be_read_where_the_labels_do_not_fit_into_columns(run, labels):
    rows = [
        row(f"i{k}", who, labels[k * step % len(labels)], "", (f"Text {k}.", ""))
        for k in range(40)
        for who, step in (("ann", 1), ("ben", 0))
    ]
    rows.append(row("i40", "ann", labels[-1], "", ("Text 40.", "")))
    Path("wide.csv").write_text(csv_of(rows), encoding="utf-8")
    run("import", "wide.csv", "--name", "wide")
    said = " ".join(run("show", "wide").stdout.split())
    assert f"ben: 40 × {labels[0]} " in said
    assert f"× {labels[5]}, " in said[said.index("ann: ") : said.index("ben: ")]


def test_a_random_split_says_what_a_part_without_items_means(run):
    rows = [row(f"i{k}", who, texts=(f"Text {k}.", "")) for k in range(2) for who in "AB"]
    Path("two.csv").write_text(csv_of(rows), encoding="utf-8")
    said = " ".join(run("import", "two.csv", "--name", "two").stdout.split())
    assert (
        "random 60/20/20 split of the items (seed 0): 1 train, 1 validation, 0 test. Without test "
        "items imitations cannot be evaluated" in said
    )
    said = " ".join(run("split", "two", "--shares", "1/0/0").stdout.split())
    assert "2 train, 0 validation, 0 test (random, seed 0)" in said
    assert "note: Without validation items" in said and "note: Without test items" in said
    notes = run("import", "two.csv", "--name", "all", "--shares", "1/0/0", "--json")["notes"]
    assert any("2 train, 0 validation, 0 test" in note and "Without test" in note for note in notes)


def test_a_command_prints_twenty_annotators_and_counts_the_others(run):
    rows = [
        row(f"i{k}", f"w{n}", "neutral" if n % 2 else "entailment", f"text {n % 7} of {k}")
        for k in range(2)
        for n in range(65)
    ]
    Path("many.csv").write_text(csv_of(rows), encoding="utf-8")
    run("import", "many.csv", "--name", "many")
    shown = run("show", "many").stdout.splitlines()
    assert "45 more (--json has all)" in shown and len(shown) < 40
    assert len(run("show", "many", "--json")["labels"]) == 65

    app = typer.Typer()
    stability.mount(app)

    def call(*arguments):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    described = call("annotators", "many")
    assert described.count("Annotator w") == 20
    assert "45 more (--json has all)" in described.splitlines()
    told = json.loads(call("annotators", "many", "--json"))
    assert len(told["annotators"]) == len(told["phrase_reliability"]) == 65


def test_the_reliability_of_phrases_is_printed_with_the_profile(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    app = typer.Typer()
    stability.mount(app)
    shown = CliRunner().invoke(app, ["annotators", "demo-nli"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("Reliability of the phrases: correlation") == 4


def test_for_people_it_says_the_same_in_words(run):
    said = run("import", "votes.csv", "--name", "votes").stdout
    assert "5 rows read, 4 imported, 1 skipped" in said
    assert "the label is missing" in said
    assert "votes" in run("list").stdout
    assert "entailment" in run("show", "votes").stdout


def test_several_mappings_after_one_option(run, tmp_path):
    header = ["n", "who", "verdict", "because", "t1", "t2"]
    (tmp_path / "odd.csv").write_text(csv_of(header=header))
    told = run(
        "import", "--map", "item_id=n", "annotator_id=who", "label=verdict", "explanation=because",
        "text_a=t1", "--map", "text_b=t2", "odd.csv", "--name", "odd", "--json",
    )  # fmt: skip
    assert told["annotations"] == 4
    assert told["mapping"]["explanation"] == "because"


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (["--ordinal", "-5:5"], [str(n) for n in range(-5, 6)]),
        (["--labels", "3,2,1"], ["3", "2", "1"]),
        (["--task", "paraphrase"], [str(n) for n in range(-5, 6)]),
        ([], ["1", "2", "3"]),
    ],
)
def test_the_scale_can_be_said(run, tmp_path, options, labels):
    rows = [row(label="1"), row(annotator="B", label="3")]
    (tmp_path / "n.csv").write_text(csv_of(rows))
    told = run("import", "n.csv", "--name", "n", *options, "--json")
    assert told["scale"]["labels"] == labels


def test_errors_go_to_stderr_without_trace_and_with_code_2(run):
    result = run("import", "nothing.csv", "--name", "x", code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("error: nothing.csv: there is no such file")
    assert "Traceback" not in result.stderr
    run("import", "votes.csv", "--name", "a")
    assert "--replace" in run("import", "votes.csv", "--name", "a", code=2).stderr
    run("import", "votes.csv", "--name", "a", "--replace")
    assert (
        "one of them"
        in run(
            "import", "votes.csv", "--name", "b", "--task", "nli", "--ordinal", "1:2", code=2
        ).stderr
    )
    for command in (["show", "none"], ["remove", "none"], ["export", "none", "--out", "x.csv"]):
        assert "there is no dataset 'none'" in run(*command, code=2).stderr


@pytest.mark.parametrize(
    "words",
    [
        "data export demo-nli --out x.xlsx",
        "stability demo-nli --out x.csv",
        "calibrate --out x.csv",
        "distributions compare --dataset demo-nli --out x.csv",
        "distributions variation --dataset demo-nli --out x.csv",
        "distributions train --dataset demo-nli --development demo-nli --out x.csv",
    ],
)
def test_a_file_of_an_unknown_ending_is_refused_before_anything_is_computed(run, words):
    refused = CliRunner().invoke(commands, words.split())
    assert refused.exit_code == 2 and "cannot be written as" in refused.stderr
    assert "a file name ending in" in refused.stderr and not list(Path().glob("x*"))


def test_a_queued_training_of_classifiers_writes_no_file(run):
    words = "distributions train --dataset demo-nli --development demo-nli --queue --out x.json"
    refused = CliRunner().invoke(commands, words.split())
    assert refused.exit_code == 2 and "a queued run has no result yet" in refused.stderr


def test_a_format_that_is_named_goes_into_a_file_of_any_ending(run):
    run("import", "votes.csv", "--name", "votes")
    run("export", "votes", "--out", "votes.txt", "--format", "csv")
    assert Path("votes.txt").read_text(encoding="utf-8").startswith("annotation_id,")


def test_a_name_without_an_ending_goes_on_having_the_usual_format(run):
    run("import", "votes.csv", "--name", "votes")
    run("export", "votes", "--out", "votes")
    assert Path("votes").read_text(encoding="utf-8").startswith("annotation_id,")
    said = CliRunner().invoke(
        commands, ["distributions", "compare", "--dataset", "demo-nli", "--out", "x"]
    )
    assert said.exit_code == 0, said.output
    assert json.loads(Path("x").read_text(encoding="utf-8"))["sources"]


def test_export_and_import_again(run, tmp_path):
    first = run("import", "votes.csv", "--name", "votes", "--json")
    for name in ("a.csv", "b.jsonl", "c.parquet"):
        told = run("export", "votes", "--out", tmp_path / name, "--json")
        assert told["format"] == name.split(".")[1]
        again = run("import", tmp_path / name, "--name", name[0], "--json")
        assert again["fingerprint"] == first["fingerprint"]


def test_show_and_remove(run, tmp_path):
    item = varierr_item("1n", {"neutral": [explanation(0), explanation(1)]})
    (tmp_path / "v.json").write_text(jsonl_of([item, item | {"id": "2n"}]))
    run("import", "v.json", "--name", "v", "--json")
    told = run("show", "v", "--json")
    assert told["labels"]["0"] == {"entailment": 0, "neutral": 1, "contradiction": 0}
    assert told["validity"] == {"true": 2}
    assert told["crowd"] == 2
    assert told["import"]["format"] == "varierr"
    assert "(crowd, 2 items)" in run("show", "v").stdout
    assert run("remove", "v", "--json") == {"name": "v", "removed": True}
    assert [e for e in run("list", "--json") if not e["shipped"]] == []


def test_crowd_counts_alone_are_shown_with_their_sums(run, tmp_path):
    rows = ["premise,hypothesis,entailment,neutral,contradiction", "a,b,60,30,10", "c,d,1000,2,0"]
    (tmp_path / "c.csv").write_text("\n".join(rows) + "\n")
    run("import", "c.csv", "--name", "c")
    said = " ".join(run("show", "c").stdout.split())
    assert "(crowd, 2 items) 1,060 32 10" in said and "how often each label was given" in said
    assert "Krippendorff" not in said


@pytest.mark.parametrize("option", ["--skipped", "--set-aside"])
def test_skipped_rows_can_be_saved(run, tmp_path, option):
    done = run("import", "votes.csv", "--name", "v", option, tmp_path / "skipped.csv")
    assert ("is now --skipped" in done.stderr) == (option == "--set-aside")
    lines = (tmp_path / "skipped.csv").read_text().splitlines()
    assert lines[0] == "row,column,reason,text,provenance"
    assert lines[1].startswith("6,label,the label is missing,")


def test_simulate_is_added_as_simulated(run):
    told = run("simulate", "--name", "sim", "--items", "12", "--annotators", "3", "--json")
    assert (told["items"], told["annotators"], told["simulated"]) == (12, 3, True)
    options = ("--items", "12", "--json", "--replace", "--name", "s")
    styled, former = (run("simulate", *options, name, "2") for name in ("--style", "--manner"))
    assert styled["fingerprint"] == former["fingerprint"] != told["fingerprint"]


def test_fetch_names_all_that_there_is(run):
    said = run("fetch", "snli", code=2).stderr
    assert "'snli'" in said and all(name in said for name in (*download_sources(), "lewidi ("))


def test_fetch_of_a_group_adds_each_of_its_datasets(run, monkeypatch):
    """From here, and not from the network."""

    def fetched(source, workspace, progress, *, shares, seed):
        calls.append(source)
        return read_dataset("votes.csv", name=source, shares=shares, seed=seed)

    calls = []
    monkeypatch.setattr("capo_core.cli.data.fetch_dataset", fetched)
    names = ["lewidi-csc", "lewidi-mp", "lewidi-paraphrase", "lewidi-varierr"]
    run("import", "votes.csv", "--name", "lewidi-mp")
    told = run("fetch", "lewidi", "--json")
    assert [one["name"] for one in told] == names and told[1] == {"name": names[1], "exists": True}
    assert calls == [names[0], *names[2:]] and {one.get("items", 2) for one in told} == {2}
    there = {one["name"] for one in run("list", "--json") if not one["shipped"]}
    assert there == set(names)
    assert run("fetch", "lewidi").stdout.count("exists already") == 4
    run("fetch", "lewidi", "--replace")
    assert calls[3:] == names
    for option in ("--name", "--url"):
        assert f"no {option}" in run("fetch", "lewidi", option, "x", code=2).stderr


def test_as_a_process_of_its_own(tmp_path):
    (tmp_path / "votes.csv").write_text(csv_of())
    code = "from capo_core.cli.data import data_app; data_app()"
    environment = os.environ | {"CAPO_WORKSPACE": str(tmp_path / "ws"), "PYTHONIOENCODING": "ascii"}

    def call(*arguments):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    good = call("import", str(tmp_path / "votes.csv"), "--name", "v", "--json")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["kept"] == 4
    bad = call("import", str(tmp_path / "none-é.csv"), "--name", "w")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "Traceback" not in bad.stderr and "no such file" in bad.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--pool", "1", "2", "-4", "--seeds", "5"],
         ["--pool", "1", "--pool", "2", "--pool", "-4", "--seeds", "5"]),
        (["n", "--pool", "1", "2", "name"], ["n", "--pool", "1", "--pool", "2", "name"]),
        (["--map", "a=b", "votes.csv"], ["--map", "a=b", "votes.csv"]),
        (["--map", "a=b", "c=d", "x"], ["--map", "a=b", "--map", "c=d", "x"]),
        (["--kind", "words", "none"], ["--kind", "words", "--kind", "none"]),
        (["--seeds", "5", "6"], ["--seeds", "5", "6"]),
        (["--pool", "1", "--", "2"], ["--pool", "1", "--", "2"]),
    ],
)  # fmt: skip
def test_several_values_of_one_option(given, expected):
    assert repeat_names(given, {"--pool", "--map", "--kind"}) == expected


def test_only_errors_of_ours_are_printed_plainly(capsys):
    with pytest.raises(typer.Exit) as exit_, print_errors():
        raise DataError("it broke \ud83d")
    assert exit_.value.exit_code == 2
    assert capsys.readouterr().err == "error: it broke \\ud83d.\n"
    with pytest.raises(KeyError), print_errors():
        raise KeyError("a defect of ours keeps its trace")


def test_files_are_joined_and_split_by_one_command(run, tmp_path):
    header = ["item_id", "annotator_id", "label", "explanation", "premise", "hypothesis"]
    for part, numbers in (("train", range(6)), ("dev", range(6, 8)), ("test", range(8, 10))):
        rows = [row(f"i{n}", texts=(f"Text {n}.", "T.")) for n in numbers]
        (tmp_path / f"set_{part}.csv").write_text(csv_of(rows, header))
    files = [f"set_{part}.csv" for part in ("test", "train", "dev")]
    run("import", *files, "--name", "joined", "--json")
    shown = run("show", "joined", "--json")
    assert shown["splits"] == {"train": 6, "validation": 2, "test": 2}
    run("import", *files, "--name", "anew", "--shares", "50/30/20", "--seed", "4", "--json")
    assert run("show", "anew", "--json")["splits"] == {"train": 5, "validation": 3, "test": 2}
    assert run("show", "anew", "--json")["fingerprint"] == shown["fingerprint"]
    run(
        "import",
        "set_dev.csv",
        "set_test.csv",
        "--name",
        "given",
        "--part",
        "train",
        "test",
        "--json",
    )
    assert run("show", "given", "--json")["splits"] == {"train": 2, "test": 2}

    told = run("split", "joined", "--shares", "1/1/0", "--seed", "2", "--json")
    assert (told["name"], told["splits"]) == ("joined-seed-2", {"train": 5, "validation": 5})
    assert run("show", "joined", "--json")["splits"]["train"] == 6
    assert "exists already" in run("split", "joined", "--seed", "2", code=2).stderr
    told = run("split", "joined", "--in-place", "--json")
    assert (told["name"], told["splits"]) == ("joined", {"train": 6, "validation": 2, "test": 2})
    assert "--shares" in run("split", "joined", "--shares", "most", code=2).stderr
