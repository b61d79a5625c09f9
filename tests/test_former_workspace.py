"""A workspace that an earlier build wrote opens with this one, and says the same numbers.

`fixtures/workspace_v1.tar.gz` was written by the build before the code was laid out anew, and
`fixtures/workspace_v1.json` has what that build said about it (`fixtures/make_workspace.py`). All
is asked for as a user would: by the command line, and by pages' addresses.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import tarfile
from pathlib import Path
from typing import Any

import helpers.pages  # noqa: F401  reads the dashboard's configuration
import pytest
from helpers.judge_desk import desk, send
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import capo_core
from capo_core.cli.start import SCRIPT
from capo_core.stats.bootstrap import small_sample

ROOT = Path(capo_core.__file__).resolve().parents[1]
FIXTURES = Path(__file__).resolve().parent / "fixtures"
KEPT = json.loads((FIXTURES / "workspace_v1.json").read_text(encoding="utf-8"))
NAMES, RUNS = KEPT["names"], KEPT["runs"]
FINGERPRINTS = {
    "votes": "2edd47653d89e159927c9da918ee774daa381ca0cdcd8df865121667a96b5c81",
    "made": "8aa287741dea1c3a6dcab2a2e9eda750d4049b7a6e6d481a394bdad21e422a03",
}
# A generation with profiles, begun by a command, did not note down its kind.
KINDS = {
    "generate", "train_sft", "train_capo", "judge", "retention", "evaluate", "estimate",
    "softlabel", "",
}  # fmt: skip
STUDIES = {"frozen": "open", "closed": "unblinded"}
# Command, place and number, as the former build printed them.
LITERAL = (
    ("study analyse closed", "analysis/accuracy/0/value", 0.08333333333333333),
    ("study analyse closed", "analysis/accuracy/0/high", 0.6503935912014458),
    ("study analyse closed", "analysis/accuracy/0/p_value", 0.07270985866728391),
    ("study analyse closed", "analysis/accuracy/1/low", 0.004811148511195962),
    ("stability votes --representation", "ladder/0/low", 0.8482833541015986),
    ("stability votes --representation", "ladder/1/null_high", 0.5524305555555554),
    ("distributions compare --dataset", "sources/0/value", 4.167426976471903),
    ("distributions compare --dataset", "sources/1/low", 0.23022451418907902),
    ("runs show votes-capo-ann-0d6d3167", "result/validation_loss", 1.2818095684051514),
)
ONE_OF_EACH = {tuple(kind): run for run, kind in RUNS.items()}.values()  # kind and state
GENERATE = ("generate", "--dataset", "votes", "--annotator", "ann")


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """The former workspace, unpacked; the present one of command line and pages."""
    with tarfile.open(FIXTURES / "workspace_v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    for name in ("CAPO_DATABASE_URL", "CAPO_OWNER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(ROOT)
    return tmp_path / "workspace"


def command(*args: str) -> Any:
    """Call `python -m capo_core … --json` in this process; what it printed."""
    out, err = io.StringIO(), io.StringIO()
    argv, code = sys.argv, 0
    sys.argv = ["capo_core", *args, "--json"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_module("capo_core", run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = argv
    assert code == 0, f"{args}: {out.getvalue()}\n{err.getvalue()}"
    return json.loads(out.getvalue())


def open_page(page: str, **query: str) -> AppTest:
    """The page by its address; it must show no exception and no error."""
    return fine(read_page(page, **query))


def read_page(page: str, **query: str) -> AppTest:
    """The page by its address."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=240)
    for key, value in query.items():
        app.query_params[key] = value
    if page != "overview":
        app._page_hash = calc_hash(page)  # as for an address; `switch_page` knows files only
    return app.run()


def fine(app: AppTest) -> AppTest:
    assert not app.exception, [each.value for each in app.exception]
    assert not app.error, [each.value for each in app.error]
    return app


def shown(app: AppTest) -> str:
    """The page's texts and tables, as one text."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "warning", "info", "text_area")
    parts = [str(each.value) for kind in kinds for each in getattr(app, kind)]
    parts += [each.proto.body for each in app.get("html")]
    parts += [each.value.to_csv() for each in app.dataframe]
    return "\n".join(parts).replace("\\", "")  # backslashes keep data from being Markdown


def at(value: Any, place: str) -> Any:
    """The value at a place such as "ladder/0/accuracy"."""
    for key in place.split("/"):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


# Measures that evaluations have had only since: their rows stand between those of before.
ADDED = (
    "mask_input_written",
    "distinct-1",
    "distinct-3",
    "self-overlap",
    "words per explanation",
    "near-duplicates",
    "label consistency",
    "JS divergence",
)
# Said differently since, on purpose: a repeated trial counts its items once, and a share weighted
# by judges of whom nothing is known is not given; intervals of judges' quality know the prior of
# the preference that is estimated with it.
CHANGED = {
    "analysis/counts/0/items": 11,
    "analysis/counts/1/items": 11,
    "analysis/quality/preferences/0/weighted_share_a": None,
    "analysis/quality/preferences/0/weighted_low": None,
    "analysis/quality/preferences/0/weighted_high": None,
    "analysis/quality/judges/1/se": 0.27430468,
    "analysis/quality/judges/1/high": 0.97458800,
    "analysis/quality/judges/2/se": 0.32138860,
}


def expected(numbers: dict[str, Any], said: Any) -> dict[str, Any]:
    """What the former build printed, but for what is said differently on purpose.

    Of all annotators, ceiling, floor and chance are now those of the annotators that the methods
    answered for. Here that is "ann" alone, so that each row of "all" has what its row had.
    """
    changed = {place: CHANGED.get(place, value) for place, value in numbers.items()}
    rows = said.get("scores", []) if isinstance(said, dict) else []
    of_ann = {kind(row): n for n, row in enumerate(rows) if row["target"] == "ann"}
    for n, row in enumerate(rows):
        if row["target"] == "all" and kind(row) in of_ann:
            prefix, its = f"scores/{n}/", f"scores/{of_ann[kind(row)]}/"
            changed |= {place: numbers[its + place.removeprefix(prefix)]
                        for place in numbers if place.startswith(prefix)}  # fmt: skip
    for n, row in enumerate(rows):
        value, *ends = (f"scores/{n}/{part}" for part in ("value", "low", "high"))
        if row["low"] is None and {changed.get(end) for end in ends} == {changed.get(value)}:
            changed |= dict.fromkeys(ends)  # what is the same in all draws is no certainty
    for n, row in enumerate(said.get("caricatures", []) if rows else []):
        (at,) = (m for m, each in enumerate(rows) if each["source"] == row["source"]
                 and each["measure"] == "style distance" and each["target"] == "ann")  # fmt: skip
        changed[f"caricatures/{n}/style_above"] = (
            numbers[f"scores/{at}/value"] - numbers[f"scores/{at}/ceiling"]
        )
    return changed | wider(changed, said)


BOUNDS = (-1.0, 0.0, 1.0)  # where ends of intervals stop


def wider(before: dict[str, Any], said: Any) -> dict[str, float]:
    """The ends of intervals that are Student's since, as far as they differ.

    Of means over the three items of the evaluation they are wider by a known factor. In profiles,
    whose errors know since of values that are all alike, and in tables of sources, whose draws are
    read at wider percentiles, they hold the former ones.
    """
    found = {}
    for place in (place for place in before if place.endswith("/low")):
        row, high = place.removesuffix("/low"), place.removesuffix("low") + "high"
        old, new = (before[place], before[high]), (at(said, place), at(said, high))
        if None in (*old, *new) or old == pytest.approx(new, rel=1e-5, abs=1e-6):
            continue
        if row.startswith(("annotators/", "sources/")):
            assert new[0] <= old[0] and old[1] <= new[1], (place, old, new)
            found |= {place: new[0], high: new[1]}
        elif row.startswith(("scores/", "differences/")):
            value = before[f"{row}/value"]
            ends = [value + (end - value) * small_sample(said["n_items"]) for end in old]
            found |= {
                name: now if now in BOUNDS else end
                for name, now, end in zip((place, high), new, ends, strict=True)
            }
    return found


def kind(row: dict[str, Any]) -> tuple:
    """What a score is of, but for its annotator."""
    return row["source"], row["measure"], row["k"]


def without_added(said: Any) -> Any:
    """What is said without the rows of measures that were added since."""
    if not isinstance(said, dict):
        return said
    if "sources" in said and "clip" in said:
        return {**said, "sources": [row for row in said["sources"]
                                    if row["measure"] not in ADDED]}  # fmt: skip
    if "confusion" not in said:
        return said
    rows = {
        name: [row for row in said[name]
               if not any(added in row.get("measure", row.get("view", "")) for added in ADDED)]
        for name in ("scores", "differences", "confusion")
    }  # fmt: skip
    return {**said, **rows}


def folders(workspace: Path) -> set[str]:
    """The runs and background computations that there are."""
    kinds = ("runs", "jobs", "experiments", "studies", "reports")
    return {str(path.relative_to(workspace)) for kind in kinds
            for path in (workspace / kind).glob("*")}  # fmt: skip


# The command line


@pytest.mark.parametrize(
    ("args", "numbers"), KEPT["answers"], ids=[" ".join(a[:3]) for a, _ in KEPT["answers"]]
)
def test_every_number_is_what_it_was(workspace, args, numbers):
    before = folders(workspace)
    said = without_added(command(*args))
    assert len(numbers) > 3
    found = {place: at(said, place) for place in numbers}
    # Sums have been taken in another order since: ends of intervals move in the sixth decimal.
    wrong = {place: (found[place], value) for place, value in expected(numbers, said).items()
             if found[place] != (value if value is None or isinstance(value, bool)
                                 else pytest.approx(value, rel=1e-5, abs=1e-6))}  # fmt: skip
    assert not wrong
    assert folders(workspace) == before, "reading computes nothing anew"


def test_some_of_those_numbers_stand_here_as_well():
    """So that nobody makes the file anew without noticing."""
    by_command = {" ".join(args[:3]): numbers for args, numbers in KEPT["answers"]}
    for what, place, value in LITERAL:
        assert by_command[what][place] == pytest.approx(value, rel=1e-12), (what, place)


def test_datasets_are_listed_with_their_content(workspace):
    listed = {each["name"]: each for each in command("data", "list") if not each["shipped"]}
    assert {name: (each["items"], each["annotators"], each["annotations"], each["simulated"],
                   each["problem"]) for name, each in listed.items()} == {
        "votes": (18, 3, 54, False, ""), "made": (90, 3, listed["made"]["annotations"], True, ""),
    }  # fmt: skip
    assert {name: each["fingerprint"] for name, each in listed.items()} == FINGERPRINTS


def test_a_kept_stability_report_is_read_and_not_computed(workspace):
    args = next(args for args, _ in KEPT["answers"] if args[:2] == ["stability", "votes"])
    (path,) = (workspace / "reports" / FINGERPRINTS["votes"][:16]).glob("*/report.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    report["ladder"][0]["accuracy"] = 0.123  # a computation would not find this
    path.write_text(json.dumps(report), encoding="utf-8")
    assert command(*args)["ladder"][0]["accuracy"] == 0.123


def test_runs_are_listed_with_their_kind_and_state(workspace):
    assert {run["run"]: [run.get("kind", ""), run["state"]]
            for run in command("runs", "list")} == RUNS  # fmt: skip
    assert {kind for kind, _ in RUNS.values()} == KINDS
    assert {state for _, state in RUNS.values()} == {"succeeded", "failed", "stopped"}


@pytest.mark.parametrize("method", ["zero_shot", "icl", "profile", "sft", "capo"])
def test_the_same_command_finds_its_run_again(workspace, method):
    """A run's name is a hash of its settings: they must mean now what they meant then."""
    before = folders(workspace)
    trained = ("--run", NAMES[f"train_{method}"]) if method in ("sft", "capo") else ()
    examples = ("--examples", "2") if method in ("zero_shot", "icl") else ()
    again = command(*GENERATE, "--max-new-tokens", "32", "--method", method, *examples, *trained)
    assert again["run"] == NAMES[method]
    assert folders(workspace) == before


def test_an_adapter_answers(workspace):
    new = command(*GENERATE, "--method", "capo", "--run", NAMES["train_capo"], "--items", "1",
                  "--max-new-tokens", "16")  # fmt: skip
    assert new["run"] not in RUNS
    (run,) = [each for each in command("runs", "list") if each["run"] == new["run"]]
    assert run["state"] == "succeeded"
    # One item, and what was written is in the table that every generation has.
    (table,) = (workspace / "runs" / new["run"]).glob("*.parquet")
    assert table.stat().st_size > 0


def test_experiments_are_listed_with_their_state(workspace):
    listed = {each["experiment"]: each for each in command("experiment", "list")}
    assert set(listed) == {NAMES["experiment"], NAMES["experiment_stopped"]}
    assert listed[NAMES["experiment"]]["state"] == "succeeded"
    assert listed[NAMES["experiment_stopped"]]["state"] == "stopped"
    assert set(listed[NAMES["experiment"]]["runs"]) <= set(RUNS)


def test_profiles_are_read_with_their_edit(workspace):
    (profile,) = command("profile", "list", "--dataset", "votes")
    shown_one = command("profile", "show", "--dataset", "votes", "--annotator", "ann")
    assert "begins with a caution" in json.dumps(shown_one) and profile["edited"] is True


# Studies


def test_studies_are_listed_with_their_state(workspace):
    listed = {each["study"]: each["frozen"] for each in command("study", "list")}
    assert listed == {"drafted": False, "frozen": True, "closed": True}
    states = {name: command("study", "status", name)["state"] for name in ("frozen", "closed")}
    assert states == STUDIES


def test_a_frozen_study_goes_on_by_a_link_of_then(workspace):
    def answered():
        return sum(judge["done"] for judge in command("study", "status", "frozen")["judges"])

    before = answered()
    app = open_page("judge", t=NAMES["token"])
    for _ in range(2):
        for start in ("judge-agree", "judge-begin", "judge-start"):
            buttons = [each for each in app.button if (each.key or "").startswith(start)]
            if buttons:
                fine(buttons[0].click().run())
        answer = desk(app)[1]["answers"][0]
        sure = "3" if answer["sure"] else ""
        send(app, "answer", answer=answer["value"], confidence=sure)
        if desk(app) and desk(app)[1]["feedback"]:
            send(app, "continue")
    assert answered() == before + 2


def test_a_frozen_study_takes_another_judge(workspace):
    (invited,) = command("study", "invite", "frozen", "--judges", "1")
    app = open_page("judge", t=invited["url"].split("t=")[1])
    assert any((each.key or "").startswith("judge-agree") for each in app.button)


# The pages


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("overview", {}, "votes"),
        ("data", {}, "18 items"),
        ("annotators", {"annotator": "ann"}, "As far as I can see"),
        ("annotators", {"view": "items", "item": "i01"}, "A woman pours tea into four cups."),
        ("stability", {}, "ann"),
        ("distributions", {}, "annotators"),
        *(("distributions", {"part": part}, "") for part in
          ("items", "differences", "explanations", "models", "training")),
        ("compare", {}, "As far as I can see"),
        ("compare", {"dataset": "made", "part": "numbers"}, "label accuracy"),
        ("compare", {"dataset": "made", "part": "confusion"}, ""),
        ("finetune", {"view": "now"}, ""),
        ("finetune", {"view": "new"}, ""),
        ("finetune", {"view": "runs", "all": "1"}, NAMES["train_sft"]),
        *(("finetune", {"view": "run", "run": run}, run) for run in ONE_OF_EACH
          if RUNS[run][1] != "failed"),
        ("studies", {"dataset": "made"}, "closed"),
        *(("studies", {"dataset": "made", "view": "study", "study": study}, said)
          for study, said in (("drafted", ""), ("frozen", "J02"), ("closed", "closed"))),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else value[:20],
)  # fmt: skip
def test_a_page_opens(workspace, page, query, said):
    before = folders(workspace)
    app = open_page(page, **{"dataset": "votes", **query})
    assert said in shown(app)
    assert folders(workspace) == before, "reading computes nothing anew"


def test_a_failed_run_says_why(workspace):
    (run,) = [run for run, (_, state) in RUNS.items() if state == "failed"]
    app = read_page("finetune", dataset="votes", view="run", run=run)
    assert not app.exception
    assert any("no item is left" in each.value for each in app.error)
