"""Boards of LeWiDi-2025: scoring rules, cells without labels, systems, and rows of runs."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from helpers.data_files import shared

from capo_core.dashboard.distributions.benchmark import chart
from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.streams import MethodOutputs
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.leaderboards import linear, report, scores, store
from capo_core.leaderboards.board import (
    OURS,
    Leaderboard,
    compute_board,
    difference_interval,
    item_scores,
    mean_interval,
)
from capo_core.leaderboards.boards import (
    BOARDS,
    CONTENT,
    EXPLANATION,
    ORDINAL,
    PERSPECTIVE,
    SOFT,
    Board,
    check_track,
    find_board,
)
from capo_core.leaderboards.cells import board_task, texts_hash
from capo_core.leaderboards.compute import compute
from capo_core.leaderboards.find import board_of, find_dataset
from capo_core.leaderboards.imitations import imitation_rows
from capo_core.leaderboards.systems import SYSTEMS, Prediction, Resources
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs.experiments.board_methods import board_experiment, methods_of
from capo_core.runs.experiments.plan import plan_runs
from capo_core.runs.kinds import execute
from capo_core.runs.request import RunRequest
from capo_core.stats.power import smallest_difference
from capo_core.task import NLI, LabelScale, Task
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace


def resources():
    return Resources(Embedder(None))  # loads nothing until it is asked for vectors


def made(items=60, several=True) -> Dataset:
    """A board-like dataset: the label follows from a word of the item, and the explanation from the
    label; B turns neutral into contradiction."""
    words = {"entailment": "surely", "neutral": "perhaps", "contradiction": "never"}
    rows, said = [], []
    for n in range(items):
        label = NLI.scale.labels[n % 3]
        split = "train" if n < items // 2 else "validation" if n < 2 * items // 3 else "test"
        rows.append((f"i{n}", f"thing {words[label]} seen", f"it {words[label]} is", split))
        for who in "AB":
            own = "contradiction" if (who, label) == ("B", "neutral") else label
            said.append((f"{n}{who}", f"i{n}", who, own, f"because {words[own]} so"))
        if several and n % 10 == 0:
            said.append((f"{n}A2", f"i{n}", "A", NLI.scale.labels[(n + 1) % 3], "or this as well"))
    names = ["annotation_id", "item_id", "annotator_id", "label", "explanation"]
    return Dataset(
        "lewidi-made",
        NLI,
        pd.DataFrame(rows, columns=["item_id", "text_a", "text_b", "split"]),
        pd.DataFrame(said, columns=names).assign(valid="unknown"),
        origin="LeWiDi, made for a test",
    )


# Scoring rules


def test_scores_are_those_of_the_rules_worked_out_by_hand():
    one = np.eye(11, dtype=bool)
    item = np.array([0, 0, 1])
    given, said = one[[0, 10, 5]], one[[10, 10, 4]]
    # item 0: (10 + 0) / 2 / 11; item 1: 1 / 11
    found = scores.perspective(BOARDS["paraphrase"], given, said, item)
    assert found == pytest.approx([5 / 11, 1 / 11])
    people, mine = scores.shares(given, item), scores.shares(said, item)
    assert scores.soft(BOARDS["paraphrase"], people, mine) == pytest.approx([5.0, 1.0])

    given = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    said = np.array([[0, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)
    varierr = BOARDS["varierr"]
    assert scores.perspective(varierr, given, said, item) == pytest.approx([1 / 6, 2 / 3])
    soft = scores.soft(varierr, scores.shares(given, item), scores.shares(said, item))
    assert soft == pytest.approx([2 * 0.5 / 3, 2 * 2 / 3])

    binary = np.eye(2, dtype=bool)
    found = scores.perspective(BOARDS["mp"], binary[[0, 1, 1]], binary[[0, 0, 1]], item)
    assert found == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize("name", ["csc", "mp"])
def test_a_decision_has_the_least_expected_distance(name):
    board = BOARDS[name]
    labels = np.eye(len(board.labels), dtype=bool)
    chances = np.random.default_rng(0).dirichlet(np.ones(len(labels)), 40)
    cost = np.array(  # [decided, true]
        [
            scores.perspective(
                board, labels, np.tile(one, (len(labels), 1)), np.arange(len(labels))
            )
            for one in labels
        ]
    )
    expected = chances @ cost.T
    chosen = scores.decided(board, chances).argmax(axis=1)
    assert expected[np.arange(40), chosen] == pytest.approx(expected.min(axis=1))
    several = scores.decided(BOARDS["varierr"], np.array([[0.6, 0.5, 0.7], [0.1, 0.2, 0.3]]))
    assert several.tolist() == [[True, False, True], [False, False, False]]


@pytest.mark.parametrize(
    ("name", "system", "value", "printed"),
    [("paraphrase", "frequent", 0.3618, ".362"), ("varierr", "nothing", 0.3450, ".345")],
)
def test_published_baselines_come_out_to_the_printed_digits(name, system, value, printed):
    board = BOARDS[name]
    files = [shared(f"lewidi/{board.file}_{part}.json") for part in ("train", "dev", "test")]
    task = board_task(read_dataset(files, name=f"lewidi-{name}").dataset, board)
    assert (task.parts, task.notes, task.comparable) == (dict(board.items), (), True)
    result = compute_board(task, CONTENT, resources(), names=(system,))
    (row,) = result.ours
    assert row.scores[PERSPECTIVE]["value"] == pytest.approx(value, abs=5e-5)
    (again,) = result.reproduced
    assert (again["printed"], again["agrees"]) == (printed, True)
    assert board_of(task.dataset) == board
    other = board_task(resplit(task.dataset), board)  # as many items in each part
    assert other.parts == task.parts and not other.comparable


# What systems see and do


def test_test_cells_hold_no_labels():
    task = board_task(made(), BOARDS["varierr"])
    names = {field.name for field in dataclasses.fields(task.test)}
    assert names == {"item", "annotator", "explanations"} and not hasattr(task.test, "given")
    assert not set(task.learn.item) & set(task.test.item)


def test_systems_are_given_nothing_that_holds_the_labels_they_are_scored_on(monkeypatch, tmp_path):
    task, seen = board_task(made(), BOARDS["varierr"]), []
    given = task.given()
    for name in ("truth", "dataset", "parts", "notes"):
        assert hasattr(task, name) and not hasattr(given, name)
    assert given.development.sum() == task.parts["validation"]
    assert not given.development[np.unique(given.test.item)].any()
    real = SYSTEMS["mean"]
    watched = dataclasses.replace(
        real, predict=lambda task, *more: (seen.append(task), real.predict(task, *more))[1]
    )
    monkeypatch.setitem(SYSTEMS, "mean", watched)
    compute_board(task, CONTENT, resources(), names=("mean",))
    Catalog(Workspace(tmp_path)).add(made())
    compute(Workspace(tmp_path), BOARDS["varierr"], CONTENT, systems=("mean",), with_runs=False)
    assert [type(one) for one in seen] == [type(given)] * 2


@pytest.mark.parametrize("track", [CONTENT, EXPLANATION])
def test_the_linear_model_learns_words_and_annotators(track):
    task = board_task(made(items=90, several=False), BOARDS["varierr"])
    found = item_scores(task, SYSTEMS["words"].predict(task, track, resources()))
    guess = item_scores(task, SYSTEMS["frequent"].predict(task, track, resources()))
    assert found[PERSPECTIVE].mean() < 0.02 < guess[PERSPECTIVE].mean()
    assert found[SOFT].mean() < guess[SOFT].mean() / 2


def test_shared_weights_by_texts_are_those_by_cells():
    """Rows of one text enter as their mean, weighted: the same as one equation for each cell."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 4))
    text = np.array([0, 0, 0, 1, 2, 2, 3, 4, 5])
    who, target = rng.integers(0, 2, 9), rng.normal(size=(9, 3))
    rows, means = linear.Rows(text, text, who, target), rng.normal(size=(2, 3))
    every, asked = np.ones(9, dtype=bool), np.array([0, 5])
    args = (x @ x.T, rows, every, asked, np.array([0, 1]), means)
    (short,) = linear._regress(*args, 0.0, (1.0,))
    (long,) = linear._regress(*args, 1e-12, (1.0,))
    assert short == pytest.approx(long, abs=1e-9)


def test_ties_are_paired_and_a_worse_row_is_not_one():
    task = board_task(made(items=90, several=False), BOARDS["varierr"])
    result = compute_board(task, CONTENT, resources(), names=("words", "mean", "annotator-mean"))
    by = {row.name: row for row in result.ours}
    assert by["words"].tied[PERSPECTIVE] and not by["mean"].tied[PERSPECTIVE]
    apart = result.differences.query("task == @PERSPECTIVE and first == 'mean'").iloc[0]
    assert apart["second"] == "words" and apart["value"] > 0.3 and apart["n"] == 30
    assert "30 items" in result.headline() and "Linear model" in result.headline()
    assert all(row.kind == OURS or row.n == 0 for row in result.rows)


def board_of_errors(rows: dict[str, list[int]]) -> Leaderboard:
    """A board of rows that answer the given numbers of the test items with wrong labels."""
    task = board_task(made(items=60, several=False),
                      BOARDS["varierr"])  # fmt: skip
    more = []
    for name, wrong in rows.items():
        items = np.unique(task.truth.item)
        bad = np.isin(task.truth.item, items[np.flatnonzero(wrong)])
        chances = np.where(bad[:, None], ~task.truth.given, task.truth.given).astype(float)
        more.append((name, name, Prediction(chances)))
    return compute_board(task, CONTENT, resources(), names=("nothing",), more=more)


def test_a_tie_is_called_lowest_by_point_estimate_and_never_best():
    alike = [1] * 3 + [0] * 17
    result = board_of_errors({"one": alike, "other": [0, *alike[1:]]})
    by = {row.name: row for row in result.ours}
    assert by["one"].tied[PERSPECTIVE] and by["other"].tied[PERSPECTIVE]
    assert result.headline().startswith("Lowest row of ours by point estimate, task B: other, ")
    assert "No significant difference from" in result.headline()
    for text in (report.to_markdown(result, result.provenance), result.headline()):
        assert "Best" not in text and "best row of ours" not in text
    clear = board_of_errors({"one": [0] * 19 + [1]})
    assert clear.headline().startswith("Significantly lowest row of ours, task B: one, ")


def test_ties_are_adjusted_for_all_pairs_of_the_track():
    """Seven errors more on 20 items are significant by themselves (p = .016) and with two rows, but
    not among the 21 pairs of seven."""
    few, many = [1] + [0] * 19, [1] * 8 + [0] * 12
    two = board_of_errors({"few": few, "many": many})
    seven = board_of_errors({"few": few, **{f"many{k}": many for k in range(5)}})
    for result, name, tied in ((two, "many", False), (seven, "many0", True)):
        row = result.differences.query("task == @PERSPECTIVE and first == @name").iloc[0]
        assert row["low"] > 0 and row["p"] == pytest.approx(2 / 2**7)
        assert row["p_holm"] >= row["p"] and (row["p_holm"] > 0.05) == tied
        assert {one.name: one.tied[PERSPECTIVE] for one in result.ours}[name] == tied


def test_the_smallest_detectable_difference_is_shown_wherever_a_board_is():
    result = board_of_errors({"few": [1] + [0] * 19, "many": [1] * 8 + [0] * 12})
    apart = result.differences.query("task == @PERSPECTIVE and first == 'many'").iloc[0]
    error = math.sqrt(7 / 20 * 13 / 20 / 19)  # seven of 20 items differ, by 1
    assert apart["detectable"] == pytest.approx(smallest_difference(error, 20, comparisons=3))
    text = result.detectable()
    assert "20 items × 2 annotators detect with 80 % power (paired, Holm over 3 pairs)" in text
    for shown in (
        report.measures(result),
        report.to_markdown(result, result.provenance),
        report.to_latex(result, result.provenance).replace("\\%", "%"),
    ):
        assert text.replace("×", "") in shown.replace("×", "").replace("$\\times$", "")
    table = result.table(PERSPECTIVE).set_index("row")
    assert table.loc["many", "detectable"] == apart["detectable"]
    alone = board_of_errors({})
    assert alone.detectable() == "" and alone.headline().startswith("Only ranked row of ours")


def test_a_board_saved_before_the_adjustment_is_to_be_computed_again(tmp_path):
    workspace, result = Workspace(tmp_path), board_of_errors({"few": [1] + [0] * 19})
    path = store.save(result, workspace)
    raw = json.loads(path.read_text())
    del raw["significance"]
    path.write_text(json.dumps(raw))
    with pytest.raises(DataError, match="compute it again"):
        store.load(workspace, "varierr", CONTENT)


def test_an_interval_needs_items_that_differ():
    value, low, high = mean_interval(np.array([0.0, 0.2, 0.4]))
    assert (low, value) == (0.0, pytest.approx(0.2)) and 0.69 < high < 0.7  # t(2) = 4.303
    assert np.isnan(mean_interval(np.array([0.5, 0.5]))[1])


def test_differences_that_are_all_alike_are_decided_where_a_sign_test_decides():
    for n, apart in ((5, False), (6, True)):
        value, low, high = difference_interval(np.full(n, 0.25))
        assert value == high == 0.25 and (low > 0) == apart
        assert difference_interval(np.full(n, -0.25))[2] == -low
    assert np.isnan(difference_interval(np.zeros(9))[1])


# Rows of runs


def test_imitations_are_scored_and_ranked_only_where_they_answer_everybody():
    dataset = made(several=False)
    task = board_task(dataset, BOARDS["varierr"])
    test = dataset.items[dataset.items["split"] == "test"]["item_id"]
    own = dataset.annotations[dataset.annotations["item_id"].isin(test)]
    frame = own.rename(columns={"annotator_id": "target_annotator_id"})
    only_a = frame[frame["target_annotator_id"] == "A"].copy()
    only_a.iloc[0, only_a.columns.get_loc("label")] = ""
    outputs = [MethodOutputs("sft", "0", frame, "r1"), MethodOutputs("icl", "0", only_a, "r2")]
    more = imitation_rows(task, outputs)
    result = compute_board(task, CONTENT, resources(), names=("frequent",), more=more)
    by = {row.name: row for row in result.ours}
    assert by["runs:sft"].scores[PERSPECTIVE]["value"] == 0 and by["runs:sft"].whole
    icl = by["runs:icl"]
    assert not icl.whole and not icl.tied and icl.answered * 2 == icl.cells
    assert "1 answer without a readable label" in icl.note and "of B: not ranked" in icl.note
    assert "not ranked" in report.cells(icl)[0]


def test_a_result_is_the_same_after_it_was_saved(tmp_path):
    task = board_task(made(), BOARDS["varierr"])
    result = compute_board(task, EXPLANATION, resources(), names=("nothing", "frequent"))
    workspace = Workspace(tmp_path)
    store.save(result, workspace)
    back = store.load(workspace, "varierr", EXPLANATION)
    assert json.dumps(back.to_dict(), default=str) == json.dumps(result.to_dict(), default=str)
    assert store.saved(workspace) == [("varierr", EXPLANATION)]
    assert "not comparable" in report.to_markdown(back, back.provenance)


def test_a_board_fetches_its_dataset_and_the_base_of_its_imitations(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from capo_core.cli import app, benchmark
    from capo_core.runs.experiments import store as experiments

    asked = []

    def start(workspace, config):
        raise DataError("far enough")

    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(experiments, "start", start)
    monkeypatch.setattr(benchmark, "fetch_missing", lambda _, **what: asked.append(what))
    command = ["benchmark", "lewidi", "--dataset", "varierr", "--method", "sft",
               "--base", "smollm2", "--fetch"]  # fmt: skip
    CliRunner().invoke(app, command)
    assert [each["dataset"] for each in asked] == ["lewidi-varierr"]
    Catalog(Workspace(tmp_path)).add(made())
    found = CliRunner().invoke(app, command)
    assert "far enough" in found.stderr
    assert [each.get("dataset", each.get("base")) for each in asked[1:]] == ["", "smollm2"]


def test_what_does_not_exist_is_said_with_what_does(tmp_path):
    with pytest.raises(ConfigError, match="no board 'snli'"):
        find_board("snli")
    with pytest.raises(ConfigError, match="CSC has no explanations"):
        check_track(BOARDS["csc"], EXPLANATION)
    with pytest.raises(DataError, match=r"data import Paraphrase_train.json"):
        find_dataset(Workspace(tmp_path), BOARDS["paraphrase"])
    with pytest.raises(DataError, match="Expected: those of MP"):
        board_task(made(), BOARDS["mp"])
    task = board_task(made(), BOARDS["varierr"])
    with pytest.raises(ConfigError, match="no system bert"):
        compute_board(task, CONTENT, resources(), names=("bert",))


def test_saved_predictions_are_used_again_until_they_are_damaged(tmp_path, monkeypatch):
    workspace, calls = Workspace(tmp_path), []
    Catalog(workspace).add(made(items=30, several=False))
    real = linear._predict
    monkeypatch.setattr(linear, "_predict", lambda *args: (calls.append(1), real(*args))[1])

    def computed(**more):
        found = compute(
            workspace, BOARDS["varierr"], CONTENT, systems=("words",), with_runs=False, **more
        )
        return found.ours[0].shown(PERSPECTIVE), found.ours[0].note

    first = computed()
    assert computed() == first and len(calls) == 1 and "cross-validation" in first[1]
    assert computed(again=True) == first and len(calls) == 2
    (path,) = (workspace.cache / "leaderboards").iterdir()
    path.write_bytes(path.read_bytes()[:40])
    assert computed() == first and len(calls) == 3


def board_like(name: str) -> Dataset:
    """Made-up data of a board: two annotators, the test part labelled by one of them alone."""
    board, data = BOARDS[name], made(items=24, several=False)
    scale = LabelScale(board.labels, board.kind == ORDINAL)
    labels = data.annotations["label"].map(dict(zip(NLI.scale.labels, board.labels, strict=False)))
    rows = data.annotations.assign(label=labels.fillna(board.labels[-1]))
    if not board.explained:
        rows = rows.assign(explanation="")
    test = set(data.items.loc[data.items["split"] == "test", "item_id"])
    rows = rows[~((rows["annotator_id"] == "B") & rows["item_id"].isin(test))]
    return dataclasses.replace(
        data, name=f"lewidi-{name}", task=Task(name, scale), annotations=rows
    )


@pytest.mark.parametrize("name", list(BOARDS))
def test_one_experiment_answers_a_boards_own_test_part_and_becomes_its_rows(name, tmp_path):
    from helpers.comparisons import answered

    board, dataset = BOARDS[name], board_like(name)
    task = board_task(dataset, board)
    methods = methods_of(board)
    config = board_experiment(task, CONTENT, methods, base="embedded", allow_embedded=True)
    assert config.targets == ("A",) and config.methods == methods
    planned = {one.method: one.request for one in plan_runs(config)}
    assert set(methods) <= set(planned)
    for method in methods:
        assert planned[method].settings["config"]["split"] == "test"
    with pytest.raises(ConfigError, match="'B' has no label in the test part"):
        board_experiment(task, CONTENT, methods, annotators=["B"])
    if board.explained:
        with pytest.raises(ConfigError, match="rows stand on the track 'content' alone"):
            board_experiment(task, EXPLANATION, methods)
    else:
        with pytest.raises(ConfigError, match="has no explanations, which SFT would learn from"):
            board_experiment(task, CONTENT, ("zero_shot", "sft"))
    # Its answers, found in the workspace, are scored on the content track and on no other.
    workspace = Workspace(tmp_path)
    Catalog(workspace).add(dataset)
    answered(
        dataset, RunFolder(workspace.runs / "g"),
        lambda target, item: f"Label: {board.labels[0]}\nExplanation: so",
        config=GenerateConfig(method="zero_shot"), targets=config.targets,
    )  # fmt: skip
    for track in board.tracks:
        found = compute(workspace, board, track, data=dataset.name, systems=("frequent",))
        titles = [row.title for row in found.ours]
        assert ("Zero-shot (labels)" in titles) == (track == CONTENT), titles


def test_more_answers_than_anybody_asks_for_by_the_way_are_refused(monkeypatch):
    monkeypatch.setattr("capo_core.runs.experiments.board_methods.MOST_ANSWERS", 5)
    task = board_task(board_like("mp"), BOARDS["mp"])
    with pytest.raises(ConfigError, match=r"8 answers, of which 8 a method .* fewer seeds"):
        board_experiment(task, CONTENT, ("zero_shot",))


def test_zero_shot_answers_each_item_once_where_everybodys_answers_were_too_many(monkeypatch):
    task = board_task(made(items=24, several=False), BOARDS["varierr"])
    usual = board_experiment(task, CONTENT, ("zero_shot",))
    assert usual.targets == ("A", "B")  # as before: the experiment keeps its name
    monkeypatch.setattr("capo_core.runs.experiments.board_methods.MOST_ANSWERS", 10)
    once = board_experiment(task, CONTENT, ("zero_shot",))
    assert len(once.targets) == 1 and once.with_changes(targets=("A", "B")) == usual
    for methods, more in ((("zero_shot",), {"changes": {"generate.label_prior": "annotator"}}),
                          (("zero_shot",), {"annotators": ("A", "B")}),
                          (("zero_shot", "sft"), {})):  # fmt: skip
        with pytest.raises(ConfigError, match=r"2 annotators × 8 test items .* not ranked") as told:
            board_experiment(task, CONTENT, methods, **more)
        assert ("answered once, for all annotators" in str(told.value)) == ("changes" in more)
        assert "experiment start" not in str(told.value)


@pytest.mark.parametrize("prior", ["none", "annotator"])
def test_an_answer_that_is_anybodys_counts_for_every_annotator_of_its_item(prior, tmp_path):
    from helpers.comparisons import answered

    dataset, workspace = made(items=24, several=False), Workspace(tmp_path)
    Catalog(workspace).add(dataset)
    first = dataset.items.loc[dataset.items["split"] == "test", "item_id"].iloc[0]
    answered(
        dataset, RunFolder(workspace.runs / "g"),
        lambda target, item: "?" if item == first else "Label: entailment\nExplanation: so",
        config=GenerateConfig(method="zero_shot", label_prior=prior), targets=("A",),
    )  # fmt: skip
    found = compute(workspace, BOARDS["varierr"], CONTENT, systems=("frequent",))
    (row,) = [row for row in found.ours if row.name == "runs:zero_shot"]
    assert row.whole == (prior == "none")
    assert ("stand for 8 cells" in row.note) == row.whole
    assert "1 answer without a readable label" in row.note and "Learned from" not in row.note
    if row.whole:  # both have the answer, and B's most frequent label where it cannot be read
        task = board_task(dataset, BOARDS["varierr"])
        frequent = SYSTEMS["frequent"].predict(task.given(), CONTENT, resources()).chances
        said = np.tile([1.0, 0.0, 0.0], (len(task.test), 1))
        lost = task.test.item == task.item_ids.index(first)
        said[lost] = frequent[lost]
        expected = item_scores(task, Prediction(said))[PERSPECTIVE].mean()
        assert row.scores[PERSPECTIVE]["value"] == pytest.approx(expected)


def test_rows_of_runs_say_what_they_learned_from():
    dataset = made(several=False)
    task = board_task(dataset, BOARDS["varierr"])
    frame = dataset.annotations.rename(columns={"annotator_id": "target_annotator_id"})
    sources = ("zero_shot", "icl (model)", "profile", "sft", "capo", "sft_long", "something")
    rows = imitation_rows(task, [MethodOutputs(name, "0", frame, name) for name in sources])
    notes = {name.removeprefix("runs:"): one.note for name, _, one in rows}
    for name in ("icl (model)", "profile"):
        assert "the training part alone (30 items), not from the development part" in notes[name]
    for name in ("sft", "capo", "sft_long"):
        assert "alone (30 items); the development part was the validation part" in notes[name]
    assert not any("Learned" in notes[name] for name in ("zero_shot", "something"))


# As a run, and on the page


def test_a_run_scores_every_row_of_a_board_and_saves_it(tmp_path):
    workspace, dataset = Workspace(tmp_path), made(items=45, several=False)
    Catalog(workspace).add(dataset)
    wanted = {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "board": "varierr",
        "track": CONTENT,
    }
    folder = RunFolder(workspace.jobs / "board")
    execute(RunRequest("leaderboard", wanted), workspace, folder, silent)
    result = store.load(workspace, "varierr", CONTENT)
    assert {row.name for row in result.ours} == set(SYSTEMS)  # the encoder's among them
    by = {row.name: row.scores[PERSPECTIVE]["value"] for row in result.ours}
    assert max(by["words"], by["minilm"], by["encoder"]) < min(by["frequent"], by["nothing"])
    figure = chart(result, PERSPECTIVE)
    assert [len(trace.x) for trace in figure.data] == [len(result.ours), 4]
    assert figure.data[0].x[0] == min(by.values())
    assert len(result.table(SOFT)) == len(result.ours) + 1  # one published row has task A's score


# What a saved board is of, and which rows it has


def resplit(dataset: Dataset) -> Dataset:
    """The same items with as many in each part, others in the test part."""
    turned = dataset.items["split"].to_numpy()[::-1]
    return dataclasses.replace(dataset, items=dataset.items.assign(split=turned))


def published_like(dataset: Dataset) -> Board:
    """A board whose published test part is that of a dataset."""
    test = dataset.items[dataset.items["split"] == "test"]
    parts = dataset.items["split"].value_counts().to_dict()
    return dataclasses.replace(BOARDS["varierr"], items=parts, test_texts=texts_hash(test)[:16])


def test_published_rows_are_beside_the_published_test_items_alone():
    dataset = made(several=False)
    board = published_like(dataset)
    for data, same in ((dataset, True), (resplit(dataset), False)):
        data = dataclasses.replace(data, items=data.items.iloc[::-1])  # in whatever order
        task = board_task(data, board)
        assert task.parts["test"] == board.items["test"] and task.comparable == same
        assert any("are not those of the published one" in text for text in task.notes) != same
        drawn = np.random.default_rng(0).random(task.truth.given.shape)
        result = compute_board(task, CONTENT, resources(), names=("frequent",),
                               more=[("drawn", "drawn", Prediction(drawn))])  # fmt: skip
        (row,) = [row for row in result.ours if row.name == "drawn"]
        assert bool(row.within[PERSPECTIVE]) == same  # .497, a random label, is
        assert bool(result.reproduced) == same


def test_a_board_is_not_of_the_dataset_under_another_split():
    dataset = made(several=False)
    board = compute_board(board_task(dataset, BOARDS["varierr"]), CONTENT, resources(),
                          names=("mean",))  # fmt: skip
    back = Leaderboard.from_dict(json.loads(json.dumps(board.to_dict())))
    assert report.outdated(back, dataset) == ""
    other = resplit(dataset)
    assert other.fingerprint == dataset.fingerprint
    assert "another split" in report.outdated(back, other)
    former = {key: value for key, value in board.to_dict().items() if key != "split"}
    assert "of which split" in report.outdated(Leaderboard.from_dict(former), dataset)
    more = dataclasses.replace(dataset, annotations=dataset.annotations.iloc[:-1])
    assert "another dataset" in report.outdated(back, more)


def test_a_board_of_some_rows_does_not_replace_the_saved_one(tmp_path, monkeypatch):
    from helpers.comparisons import answered
    from typer.testing import CliRunner

    from capo_core.cli import app

    workspace, dataset = Workspace(tmp_path), made(items=30, several=False)
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(
        "capo_core.leaderboards.board.systems_of",
        lambda board, track, names=(): [SYSTEMS[name] for name in names or ("mean", "nothing")],
    )  # the others train
    Catalog(workspace).add(dataset)
    answered(
        dataset, RunFolder(workspace.runs / "g"),
        lambda target, item: "Label: neutral\nExplanation: so",
        config=GenerateConfig(method="zero_shot"), targets=("A", "B"),
    )  # fmt: skip

    def command(*more, track=CONTENT):
        asked = ["benchmark", "lewidi", "--dataset", "varierr", "--track", track, *more]
        done = CliRunner().invoke(app, asked)
        found = store.load(workspace, "varierr", track)
        return done, found and {row.name for row in found.ours}

    full = {"mean", "nothing", "runs:zero_shot"}
    assert command()[1] == full
    for some in (("--no-runs",), ("--run", "g"), ("--system", "mean")):
        done, kept = command(*some)
        assert done.exit_code == 0, done.output
        assert kept == full and "the saved board stays as it is" in done.output, some
    for name in ("g", "nothing-of-this-name"):
        done, kept = command("--run", name, track=EXPLANATION)
        assert done.exit_code == 2 and kept is None
        assert "rows stand on the track 'content' alone" in " ".join(done.stderr.split())
    assert command("--no-runs", track=EXPLANATION)[1] == {"mean", "nothing"}  # all there are
