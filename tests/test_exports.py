"""Everything that leaves the product says where it comes from.

The table `WALKS` has one entry for each file that a command writes; a command with a new one is
found and asked for. Downloads of pages are made in the tests of the pages (`tests/pages/conftest`);
here it is checked that no page has another way to offer one.
"""

import ast
import inspect
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from helpers.pages import make
from helpers.provenance import DAY, EPOCH, OF_NOBODY, PLACE, check_file
from helpers.small_study import SmallStudy, answer_all
from helpers.study_designs import design, finished_run
from typer.testing import CliRunner

from capo_core import export_formats, latex_text
from capo_core.cli import COMMANDS, app, load_command
from capo_core.data.catalog import Catalog
from capo_core.data.export import EXPORT_FORMATS, export, provenance_of
from capo_core.data.importing import read_dataset
from capo_core.data.tool_exports import TOOL_EXPORTS, export_to_tool
from capo_core.distributions.files import read_judgments as read_distributions
from capo_core.errors import ConfigError
from capo_core.evaluation.report import load as load_evaluation
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.pairs.files import read_preferences
from capo_core.provenance import BOTH, NAME, PEOPLE, SIMULATED, UNKNOWN, Provenance, today
from capo_core.schema import CROWD
from capo_core.study.design import draft
from capo_core.study.design.draft import draw
from capo_core.study.owner.export import read_judgments
from capo_core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1] / "capo_core"


# What a provenance is


@pytest.mark.parametrize("epoch", ["tomorrow", "9" * 20, "1.5"])
def test_a_date_of_the_environment_that_is_none_is_refused(monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH is"):
        today()


def test_all_that_is_asked_for_is_in_it_and_comes_back():
    whole = PLACE.but(
        models=("SmolLM2-135M", "a|b"), seeds=(0, 7), n=(("item", 1), ("annotator", 1200)),
        judges=SIMULATED, details=(("split", "test"),),
    )  # fmt: skip
    assert whole.line == (
        "CAPO Lab 0.0 | dataset=made | data=people | fingerprint=ab12ab12ab12ab12 | "
        "models=SmolLM2-135M, a/b | seeds=0, 7 | n=1 item, 1,200 annotators | judges=simulated | "
        "date=2026-03-02 | split=test"
    )
    back = Provenance.from_line(whole.line)
    assert back.line == whole.line and back.n == whole.n
    assert (back.dataset, back.data, back.judges, back.seeds) == ("made", PEOPLE, SIMULATED, (0, 7))
    assert (back.version, back.date, dict(back.details)) == ("0.0", DAY, {"split": "test"})
    assert Provenance.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    for other in ("", "CAPO Lab", "a | dataset=x", None, {}, {"product": "CAPO Lab"}, []):
        assert Provenance.from_dict(other) is None
        assert not isinstance(other, str) or Provenance.from_line(other) is None


def test_the_date_is_of_today_or_of_the_environment(monkeypatch):
    assert len(Provenance("a", "b").date) == 10
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert Provenance("a", "b").date == DAY == PLACE.but(date="1999-01-01").dated().date


@pytest.mark.parametrize(
    ("data", "judges", "mark"),
    [
        (PEOPLE, "", ""), (SIMULATED, "", "simulated data"), (UNKNOWN, PEOPLE, ""),
        (PEOPLE, SIMULATED, "simulated judges"),
        (SIMULATED, SIMULATED, "simulated data and judges"),
        (PEOPLE, BOTH, "partly simulated judges"),
        (SIMULATED, BOTH, "simulated data and partly simulated judges"),
    ],
)  # fmt: skip
def test_what_is_simulated_is_said_in_titles_and_paragraphs(data, judges, mark):
    found = PLACE.but(data=data, judges=judges)
    assert found.titled("Results") == (f"Results ({mark})" if mark else "Results")
    assert found.marked("A is B.").startswith(mark.capitalize()) and bool(found.caution) == bool(
        mark
    )


def test_a_table_with_provenance_is_read_by_pandas_as_any_other(tmp_path):
    frame = pd.DataFrame({"a": ["x,y", "=1"], "n": [1.5, float("nan")]})
    (tmp_path / "t.csv").write_text(export_formats.csv_text(frame, PLACE))
    back = pd.read_csv(tmp_path / "t.csv")
    assert list(back.columns) == ["a", "n", NAME] and back["n"].isna().tolist() == [False, True]
    assert set(back[NAME]) == {PLACE.line}
    both = pd.concat([back, back.assign(**{NAME: OF_NOBODY.line})]).sample(frac=1, random_state=0)
    assert sorted(map(len, both.groupby(NAME).groups.values())) == [2, 2]  # still told apart
    (tmp_path / "t.jsonl").write_text(export_formats.frame_lines(frame, PLACE))
    assert set(pd.read_json(tmp_path / "t.jsonl", lines=True)[NAME]) == {PLACE.line}


# No way around it

ELSEWHERE = {"export_formats.py", "simulation/demo.py"}  # the shipped data are no export


def test_files_are_written_by_the_writers_of_exports_alone():
    offered, written = [], []
    for path in sorted(ROOT.rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of = getattr(node.func.value, "id", "")
            if node.func.attr == "download_button":
                offered.append(name)
            if node.func.attr in ("to_csv", "to_excel", "to_html", "to_latex", "to_markdown") or (
                of == "csv" and node.func.attr in ("writer", "DictWriter")
            ):
                written.append((name, node.func.attr))
    assert offered == ["dashboard/ui/exports.py"]
    assert [each for each in written if each[0] not in ELSEWHERE] == [
        ("dashboard/ui/exports.py", "to_html")  # a figure, with its provenance
    ]


def test_no_writer_of_an_export_does_without_a_provenance():
    inputs = {
        "escape", "unescape", "without_provenance", "for_excel", "read_parquet",
    }  # fmt: skip
    public = {
        name: inspect.signature(one).parameters
        for name, one in vars(export_formats).items()
        if inspect.isfunction(one) and one.__module__ == export_formats.__name__
        and not name.startswith("_") and name not in inputs
    }  # fmt: skip
    assert len(public) >= 9
    for name, parameters in public.items():
        assert parameters["provenance"].default is inspect.Parameter.empty, name


# Every file of every command

MAIL = "@lab.example"  # in each annotator's name, which no file has

INPUTS = {
    "data import paths", "profile edit file", "train capo preferences", "evaluate outputs",
    "retention text", "experiment start config", "experiment check config",
    "distributions compare file",
    "distributions variation file", "distributions estimate file", "distributions estimate votes",
    "distributions explain file", "distributions train file", "study plan config",
    "study create config", "study analyse answers", "study export-pairs answers",
    "distributions transfer file", "models import file", "base build corpus", "figures report",
}  # fmt: skip
NO_DATASET = {"base build out": "a base model; its card names its text"}


def commands(name: str, command):
    if hasattr(command, "commands"):
        for part, each in command.commands.items():
            yield from commands(f"{name} {part}", each)
    else:
        yield name, command


def outputs() -> set[str]:
    """The options and arguments of all commands that name a file to write."""
    found = set()
    for first in COMMANDS:
        for name, command in commands(first, load_command(first)):
            for key, one in inspect.signature(command.callback).parameters.items():
                if "Path" in str(one.annotation):
                    found.add(f"{name} {key}")
    return found - INPUTS


def run(*words, ok=True):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert (done.exit_code == 0) == ok, (done.output, done.exception)
    return done


def with_crowd(dataset):
    """The dataset with 100 crowd labels of the first 40 items."""
    labels = dataset.task.scale.labels
    rows = [(item, label, n) for item in dataset.items["item_id"][:40]
            for label, n in zip(labels, (60, 30, 10), strict=True)]  # fmt: skip
    crowd = pd.DataFrame(rows, columns=CROWD.names).astype({"item_id": "str", "label": "str"})
    return replace(dataset, crowd=crowd)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with a simulated dataset, runs on it, a design, and a study that is over.

    The dataset was imported with pseudonyms: the annotators' names are e-mail addresses.
    """
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("exports")
    patch.setenv("CAPO_WORKSPACE", str(root))
    patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    patch.delenv("CAPO_DATABASE_URL", raising=False)
    workspace = Workspace(root)
    named = replace(make("mine", items=90), simulated=True)
    whole = {name: named.annotations[name] + MAIL for name in ("annotator_id", "annotation_id")}
    named = replace(named, annotations=named.annotations.assign(**whole))
    export(named, root / "named.csv", "csv")
    read = read_dataset(root / "named.csv", name="mine", pseudonyms=True)
    world = with_crowd(read.dataset)
    assert world.annotators == ("A1", "A2", "A3") and read.report.pseudonyms[f"ann{MAIL}"] == "A1"
    Catalog(workspace).add(world, read.report)
    sources = {"human": "human", "zero_shot": [finished_run(workspace, world)]}
    config = design(world, sources=sources, kinds=("comparison",), trials_per_judge=3, judges=3)
    draft.create(workspace, draw(workspace, config))
    study = SmallStudy(workspace, name="over")
    for desk in study.judges(2):
        answer_all(desk)
    study.service.close("over")
    study.service.unblind("over")
    yield workspace, config
    study.dispose()
    patch.undo()


@pytest.fixture(scope="module")
def answers(place):
    path = place[0].root / "answers.csv"
    run("study", "simulate-judges", place[1].name, path, "--seed", 3)
    return path


def skipped(place, out, answers):
    table = place[0].root / "in.csv"
    table.write_text("item,annotator,label,explanation,premise,hypothesis\n"
                     "1,a,neutral,why,p,h\n1,b,,why,p,h\n")  # fmt: skip
    run("data", "import", table, "--name", "other", "--replace", "--skipped", out)


def evaluated(place, out, answers):
    config = place[1]
    run("evaluate", "--dataset", "mine", "--run", config.sources["zero_shot"][0], "--measures",
        "labels", "--out", out)  # fmt: skip


def trained(place, out, answers, monkeypatch):
    """Training takes minutes: its result is another test's."""
    monkeypatch.setattr("capo_core.cli.soft_labels.do_run", lambda *a, **k: {"scores": []})
    run("distributions", "train", "--dataset", "mine", "--development", "mine", "--against",
        "annotators", "--out", out, "--json")  # fmt: skip


def drawn(place, out, answers):
    report = place[0].root / "report.json"
    if not report.exists():
        run("stability", "mine", "--representation", "words", "--reduction", "none", "--pool", 1,
            "--seeds", 1, "--permutations", 0, "--no-controls", "--out", report)  # fmt: skip
    beside = {".csv": "-data.csv", ".txt": "-caption.txt"}
    kind = "svg" if out.suffix in beside else out.suffix[1:]
    run("figures", report, "--out", out.parent / "figures", "--kind", kind)
    made = f"ladder-words{beside.get(out.suffix, out.suffix)}"
    (out.parent / "figures" / made).rename(out)


def explained(place, out, answers, monkeypatch):

    def write(request):
        label = request.prompt.text.split("Label: ")[1].split("\n")[0]
        return f"Label: {label}\nExplanation: So {label} it is."

    backend = FakeBackend(write)
    monkeypatch.setattr("capo_core.cli.generate.backend_of", lambda *a, **k: backend)
    run("distributions", "explain", "--dataset", "mine", "--out", out, "--items", 2)


def attributed(place, out, answers, monkeypatch):
    """It takes trained adapters: the computation is another test's."""
    from helpers.author_attribution import made_attribution

    made = made_attribution(Catalog(place[0]).load("mine"))
    monkeypatch.setattr("capo_core.evaluation.authors.run.compute_authors", lambda *a, **k: made)
    run("authors", "mine", "--out", out)


def transferred(place, out, answers, monkeypatch):
    """It takes trained adapters: the computation is another test's."""
    from helpers.transfers import made_transfer

    from capo_core.cli import transfer

    transfer.write(made_transfer(Catalog(place[0]).load("mine")), out)


def command(*words):
    return lambda place, out, answers: run(
        *(place[1].name if word == "STUDY" else answers if word == "ANSWERS" else
          out if word == "OUT" else word for word in words)
    )  # fmt: skip


# Option, and in brackets a choice that makes another file of it → how its file is made, and the
# endings it may have.
WALKS = {
    "data import skipped": (skipped, "csv"),
    "data export out": (command("data", "export", "mine", "--out", "OUT"), "csv jsonl parquet"),
    "data export out (label-studio)": (
        command("data", "export", "mine", "--format", "label-studio", "--out", "OUT"), "json"),
    "data export out (prodigy)": (
        command("data", "export", "mine", "--format", "prodigy", "--out", "OUT"), "jsonl"),
    "data export out (crowd)": (
        command("data", "export", "mine", "--crowd", "--out", "OUT"), "csv jsonl parquet"),
    "stability out": (
        command("stability", "mine", "--representation", "words", "--reduction", "none", "--pool",
                "1", "--seeds", "1", "--permutations", "20", "--no-controls", "--out", "OUT"),
        "json tex"),
    "figures out": (drawn, "pdf svg png csv txt"),
    "authors out": (attributed, "json csv md tex"),
    "calibrate out": (
        command("calibrate", "--items", "20", "--strength", "1", "--datasets", "1",
                "--permutations", "0", "--representation", "words", "--reduction", "none",
                "--out", "OUT"), "json"),
    "pairs export out": (
        command("pairs", "export", "--dataset", "mine", "--annotator", "A1", "--out", "OUT"),
        "jsonl"),
    "evaluate out": (evaluated, "html csv jsonl json tex"),
    "export atlas out": (
        command("export", "atlas", "--dataset", "mine", "--out", "OUT"), "html"),
    "export map out": (
        command("export", "map", "--dataset", "mine", "--representation", "words", "--reduction",
                "none", "--out", "OUT"), "parquet"),
    "distributions compare out": (
        command("distributions", "compare", "--dataset", "mine", "--against", "annotators",
                "--out", "OUT"), "json html md"),
    "distributions variation out": (
        command("distributions", "variation", "--dataset", "mine", "--no-semantic", "--items", "4",
                "--out", "OUT"), "json"),
    "distributions explain out": (explained, "jsonl"),
    "distributions train out": (trained, "json"),
    "distributions transfer out": (transferred, "json csv md"),
    "benchmark lewidi out": (
        command("benchmark", "lewidi", "--dataset", "varierr", "--data", "mine", "--system",
                "nothing", "frequent", "--no-runs", "--out", "OUT"), "json csv md tex"),
    "study export path": (command("study", "export", "over", "OUT"), "csv jsonl"),
    "study trials path": (command("study", "trials", "over", "OUT"), "csv jsonl"),
    "study participants path": (
        command("study", "participants", "over", "OUT"), "csv jsonl"),
    "study audit path": (command("study", "audit", "over", "OUT"), "csv jsonl"),
    "study analyse out": (
        command("study", "analyse", "STUDY", "--answers", "ANSWERS", "--out", "OUT"),
        "json md tex"),
    "study simulate-judges out": (
        command("study", "simulate-judges", "STUDY", "OUT"), "csv jsonl"),
    "study export-pairs out": (
        command("study", "export-pairs", "STUDY", "OUT", "--answers", "ANSWERS", "--rule",
                "none"), "jsonl"),
}  # fmt: skip


def test_every_file_that_a_command_writes_is_walked():
    assert outputs() == {name.partition(" (")[0] for name in WALKS} | NO_DATASET.keys()
    choices = {name.partition(" (")[2].rstrip(")") for name in WALKS} - {""}
    assert choices == {*TOOL_EXPORTS, "crowd"}


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, (_, kinds) in WALKS.items() for kind in kinds.split()]
)
def test_every_file_says_where_it_comes_from(name, kind, place, answers, tmp_path, monkeypatch):
    make_file, out = WALKS[name][0], tmp_path / f"out.{kind}"
    wanted = inspect.signature(make_file).parameters
    make_file(place, out, answers, **({"monkeypatch": monkeypatch} if len(wanted) > 3 else {}))
    found = check_file(out.read_bytes(), out.name)
    if name.startswith(("study export path", "study trials", "study participants", "study audit")):
        assert (found.judges, dict(found.details)["study"]) == (PEOPLE, "over")
    elif "import" in name:
        assert (found.dataset, found.data) == ("other", PEOPLE)
    elif name != "calibrate out":
        mine = Catalog(place[0]).load("mine")
        assert (found.dataset, found.fingerprint[:16]) == ("mine", mine.fingerprint[:16])
        assert found.data == SIMULATED
    else:
        assert found.data == SIMULATED
    if kind not in ("md", "tex"):
        assert "study analyse" not in name or found.judges == SIMULATED
    for path in tmp_path.rglob("*"):
        if path.is_file():
            text = pd.read_parquet(path).to_json() if path.suffix == ".parquet" else None
            assert MAIL.encode() not in (text.encode() if text else path.read_bytes()), path.name


# Results on the command line


def shown_authors(place, answers):
    from helpers.author_attribution import made_attribution

    from capo_core.cli import authors

    authors.show(made_attribution(Catalog(place[0]).load("mine")))


def shown_transfer(place, answers):
    from helpers.transfers import made_transfer

    from capo_core.cli import transfer

    transfer.show(made_transfer(Catalog(place[0]).load("mine")))


def printed(*words):
    return lambda place, answers: print(run(*words).stdout)


RESULTS = {
    "stability": printed("stability", "mine", "--representation", "words", "--reduction", "none",
                         "--pool", 1, "--seeds", 1, "--permutations", 20, "--no-controls"),
    "compare": printed("distributions", "compare", "--dataset", "mine", "--against", "annotators"),
    "benchmark": printed("benchmark", "lewidi", "--dataset", "varierr", "--data", "mine",
                         "--system", "nothing", "frequent", "--no-runs"),
    "authors": shown_authors,
    "transfer": shown_transfer,
    "evaluate": lambda place, answers: print(run(
        "evaluate", "--dataset", "mine", "--run", place[1].sources["zero_shot"][0], "--measures",
        "labels").stdout),
    "study": lambda place, answers: print(run(
        "study", "analyse", place[1].name, "--answers", answers).stdout),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_on_simulated_data_says_so_in_headline_and_title(name, place, answers, capsys):
    RESULTS[name](place, answers)
    text = capsys.readouterr().out
    assert "(simulated data" in " ".join(text.split())  # title of the table, or of the document
    begin = "- " if name == "study" else ""  # a document, which says first what was planned
    first = next(line for line in text.splitlines() if line.strip() and line.startswith(begin))
    first = first.removeprefix(begin)
    assert first.startswith(("Simulated data: ", "Simulated data and judges: ")), first


# Sentences and tables that are results, by the names they have in the code.
SENTENCES = {"headline", "sentence", "statement", "statements", "interpretation"}
WORDED = {"titled", "alpha_sentence", "_bias_in_words"}
PLANS = {("experiments.py", "plan.statement.text")}  # what items could show, before any result


def test_commands_print_results_by_the_one_function_that_marks_them():
    found = set()
    for path in sorted((ROOT / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "console.print"):
                continue
            for part in (each for given in node.args for each in ast.walk(given)):
                result = isinstance(part, ast.Attribute) and part.attr in SENTENCES
                worded = isinstance(part, ast.Name) and part.id in WORDED
                if result or worded:
                    found.add((path.name, ast.unparse(node.args[0])))
    assert found <= PLANS


# Ours read it back


def exported(dataset, folder, kind, crowd=False):
    """The dataset's export without the file beside it, read again."""
    path = folder / f"d.{TOOL_EXPORTS[kind].suffix if kind in TOOL_EXPORTS else kind}"
    if kind in TOOL_EXPORTS:
        export_to_tool(dataset, path, kind)
    else:
        export(dataset, path, kind, crowd=crowd)
        path.with_name(f"{path.name}.capo.json").unlink(missing_ok=True)
    return check_file(path.read_bytes(), path.name), read_dataset(path, name="again")


@pytest.mark.parametrize("crowd", [False, True])
@pytest.mark.parametrize("kind", [*EXPORT_FORMATS, *TOOL_EXPORTS])
def test_a_simulated_dataset_stays_simulated_without_the_file_beside_it(
    place, tmp_path, monkeypatch, kind, crowd
):
    if crowd and kind in TOOL_EXPORTS:
        pytest.skip("a tool takes no crowd counts")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    dataset = replace(Catalog(place[0]).load("mine"), crowd=None)
    dataset = with_crowd(dataset) if crowd else dataset
    stated, read = exported(dataset, tmp_path, kind, crowd)
    assert stated.data == SIMULATED and read.dataset.simulated
    assert f"exported by {stated.line}" in read.report.notes
    if not crowd and kind in EXPORT_FORMATS:
        assert read.dataset.fingerprint == dataset.fingerprint
    again, _ = exported(read.dataset, tmp_path, kind, crowd)
    assert again.data == SIMULATED
    assert stated.fingerprint == dataset.fingerprint[:16]  # also of a part: the dataset it names
    people = replace(dataset, simulated=False)
    stated, read = exported(people, tmp_path, kind, crowd)
    assert stated.data == PEOPLE and not read.dataset.simulated


def test_a_crowd_export_counts_crowd_labels_and_not_annotators_that_it_leaves_out(place):
    dataset = Catalog(place[0]).load("mine")
    of_crowd = (("item", 40), ("crowd label", 4000))
    assert provenance_of(dataset, crowd=True).n == of_crowd
    bare = replace(dataset, annotations=dataset.annotations.iloc[:0])
    assert provenance_of(bare).n == of_crowd
    assert [noun for noun, _ in provenance_of(dataset).n] == ["item", "annotator", "annotation"]


def test_a_column_of_that_name_that_is_not_ours_is_a_column(tmp_path):
    (tmp_path / "t.csv").write_text(
        "item,annotator,label,provenance,premise,hypothesis\n1,a,neutral,a museum,p,h\n"
    )
    read = read_dataset(tmp_path / "t.csv", name="t")
    assert not any("exported by" in note for note in read.report.notes)


def test_pairs_are_the_same_on_another_day(place, tmp_path, monkeypatch):
    """The hash in a run's settings is of the pairs and not of the day of their export."""
    out = tmp_path / "p.jsonl"
    words = ("pairs", "export", "--dataset", "mine", "--annotator", "A1", "--out")
    run(*words, out)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400 * 40))
    run(*words, tmp_path / "q.jsonl")
    one, other = (read_preferences(path) for path in (out, tmp_path / "q.jsonl"))
    assert out.read_bytes() != (tmp_path / "q.jsonl").read_bytes()
    assert one == other and len(one.rows) > 10
    bare = b"".join(
        json.dumps({k: v for k, v in json.loads(line).items() if k != NAME}).encode() + b"\n"
        for line in out.read_bytes().splitlines()
    )
    (tmp_path / "bare.jsonl").write_bytes(bare)
    assert read_preferences(tmp_path / "bare.jsonl") == one  # as earlier builds wrote it


def test_what_was_written_is_read_by_its_reader(place, answers, tmp_path, monkeypatch):
    explained(place, tmp_path / "e.jsonl", answers, monkeypatch)
    said = read_distributions(tmp_path / "e.jsonl")
    assert len(said.explanations) > 0 and not said.notes
    assert len(read_judgments(answers)) > 0
    evaluated(place, tmp_path / "r.json", answers)
    assert load_evaluation(tmp_path / "r.json").dataset == "mine"


def test_a_file_of_simulated_crowd_counts_is_not_of_unknown_people(place, tmp_path):
    run("data", "export", "mine", "--crowd", "--out", tmp_path / "c.jsonl")
    (tmp_path / "c.jsonl.capo.json").unlink()
    assert read_distributions(tmp_path / "c.jsonl").data == SIMULATED
    out = tmp_path / "r.md"
    run("distributions", "compare", "--file", tmp_path / "c.jsonl",
        "--out", out)  # fmt: skip
    assert check_file(out.read_bytes(), out.name).data == SIMULATED


def test_unknown_judges_of_a_file_are_not_called_people(place, answers, tmp_path):
    frame = pd.read_csv(answers, dtype=str, keep_default_na=False).drop(columns=NAME)
    frame.to_csv(tmp_path / "old.csv", index=False)
    run("study", "analyse", place[1].name, "--answers", tmp_path / "old.csv", "--out",
        tmp_path / "r.json")  # fmt: skip
    found = Provenance.from_dict(json.loads((tmp_path / "r.json").read_text())[NAME])
    assert found.judges == UNKNOWN


# LaTeX

PRINTED = "μ β σ → ≥ ½ Δ ≈ ⁻³ ₀ √ – “a” … é Ω"


def test_latex_prints_every_letter_of_the_product():
    assert latex_text.latex("μ ≥ ½") == r"$\mu$ $\geq$ $\frac{1}{2}$"
    assert latex_text.latex(PRINTED.replace("é", "")).isascii()
    assert not latex_text.engine_note(PRINTED)
    greek = "".join(map(chr, range(0x3B1, 0x3CA)))
    assert latex_text.latex(greek).isascii() and latex_text.latex(greek.upper()).isascii()


def test_no_first_cell_is_an_argument_of_the_line_before():
    text = export_formats.latex_table(
        ["*", "n"], [["[A]", "1"], ["*b", "[2]"], [" [3]\n\nc", "4"]], PLACE, caption="c", label="l"
    )
    lines = text.splitlines()
    assert {"{}* & n \\\\", "{}[A] & 1 \\\\", "{}*b & {}[2] \\\\", "{}[3] c & 4 \\\\"} <= set(lines)


def test_other_scripts_ask_for_an_engine_that_reads_them():
    def made(name):
        return export_formats.latex_table(["a", "b"], [[name, "μ"]], PLACE, caption="c", label="l")

    assert latex_text.UNICODE_ENGINE in made("李雷").splitlines()
    assert latex_text.UNICODE_ENGINE not in made("Zoë & μ")


def test_a_wide_table_goes_over_both_columns_with_headers_on_two_lines():
    names = ["Method", ("Attributed to target", "k = 1"), ("Attributed to target", "k = 8"), "n"]
    rows = [["CAPO", "0.50 [0.40, 0.60]" * 2, "0.50 [0.40, 0.60]" * 2, "8"]]
    text = export_formats.latex_table(names, rows, PLACE, caption="c", label="l")
    assert "\\begin{table*}[t]" in text and "\\end{table*}" in text
    assert "\\resizebox{" in text and "\\end{tabular}}" in text and "{booktabs,graphicx}" in text
    assert " & \\multicolumn{2}{c}{Attributed to target} &  \\\\\n\\cmidrule(lr){2-3}\n" in text
    assert "Method & k = 1 & k = 8 & n \\\\" in text
    narrow = export_formats.latex_table(["a", "b"], [["x", "1"]], PLACE, caption="c", label="l")
    assert "table*" not in narrow and "resizebox" not in narrow and "graphicx" not in narrow


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_pdflatex_reads_a_table_of_all_that_the_product_prints(tmp_path):
    every = "".join(latex_text._LETTERS)
    table = export_formats.latex_table(
        ["[x]", ("μ", "k = 1")], [["[A]", every], ["*", PRINTED]], PLACE, caption=every, label="l"
    )
    (tmp_path / "t.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
        f"{table}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-600:]
