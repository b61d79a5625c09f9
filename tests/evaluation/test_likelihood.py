"""Attribution by likelihood: planted authors, calibration, leaks, scores of a real forward."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from helpers.tiny_training import sft_config, tiny_base, tiny_dataset
from markupsafe import escape
from scipy.special import softmax
from typer.testing import CliRunner

from capo_core.cli import evaluate
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.evaluation import likelihood
from capo_core.evaluation.compute import compute_report
from capo_core.evaluation.export import to_html
from capo_core.evaluation.likelihood import (
    MEASURE,
    author_adapters,
    author_scores,
    fit_calibration,
    log_prob_matrix,
    texts_of,
    written_by,
)
from capo_core.evaluation.measures.attribution import pooled_accuracy
from capo_core.evaluation.referee.tables import referee_tables
from capo_core.evaluation.report import EvaluationReport, load
from capo_core.evaluation.streams import (
    HUMAN,
    OTHER,
    MethodOutputs,
    Stream,
    held_out_items,
    human_streams,
    run_outputs,
)
from capo_core.evaluation.table import TableConfig
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.evaluation import REPORT, evaluate_runs
from capo_core.runs.kinds.training import run_training, sft_request
from capo_core.text.tokens import same_form
from capo_core.workspace import Workspace


def planted(rng, n, *, skill=0.1, bias=(0.0, 0.3, -0.2, 0.1), content=1.0):
    """Mean log-probabilities: hard and easy texts, one adapter sharper than another, the author's
    own a little higher."""
    author = np.tile(np.arange(4), n // 4)
    matrix = -2.0 + content * rng.normal(size=(n, 1)) + np.array(bias)
    matrix = matrix + 0.05 * rng.normal(size=(n, 4))
    matrix[np.arange(n), author] += skill
    return matrix, author


def test_calibration_takes_out_what_an_adapter_gives_to_everybody():
    rng = np.random.default_rng(0)
    found = fit_calibration(*planted(rng, 400))
    matrix, author = planted(rng, 400)
    before = (matrix.argmax(axis=1) == author).mean()
    after = (found.scores(matrix).argmax(axis=1) == author).mean()
    assert before < 0.35 and after > 0.8
    np.testing.assert_allclose(found.offsets.sum(), 0, atol=1e-9)
    shift = -found.offsets / found.slope
    np.testing.assert_allclose(
        shift - shift.mean(), np.array([0, 0.3, -0.2, 0.1]) - 0.05, atol=0.03
    )


def test_probabilities_are_right_as_often_as_they_say():
    rng = np.random.default_rng(1)
    found = fit_calibration(*planted(rng, 2000, skill=0.06))
    matrix, author = planted(rng, 2000, skill=0.06)
    given = softmax(found.scores(matrix), axis=1)
    right = given.argmax(axis=1) == author
    sure = given.max(axis=1)
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        rows = (sure >= low) & (sure < high)
        assert right[rows].mean() == pytest.approx(sure[rows].mean(), abs=0.07)
    # The constant of a text (how hard its item is) means nothing.
    moved = found.scores(matrix + rng.normal(size=(2000, 1)))
    np.testing.assert_allclose(moved, found.scores(matrix), atol=1e-9)


def test_texts_without_a_score_go_to_nobody_and_pools_add_up():
    found = fit_calibration(*planted(np.random.default_rng(2), 400))
    matrix, author = planted(np.random.default_rng(3), 400)
    mine = found.scores(matrix)[author == 0]
    single = pooled_accuracy(mine, np.arange(100), 0, 1, n_items=100).value
    four = pooled_accuracy(mine, np.arange(100), 0, 4, n_items=100).value
    assert four > single
    matrix[0] = np.nan
    assert (found.scores(matrix)[0] == 0).all() and np.isfinite(found.scores(matrix)).all()


def test_nothing_is_calibrated_without_every_author():
    matrix, author = planted(np.random.default_rng(4), 40)
    with pytest.raises(DataError, match="no validation text"):
        fit_calibration(matrix[author < 3], author[author < 3])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """SFT adapters of three annotators on a tiny base."""
    folder = tmp_path_factory.mktemp("authors")
    dataset = tiny_dataset(train=14, validation=6, test=6)
    workspace = Workspace(folder / "ws")
    base = tiny_base(folder / "base")
    runs = [
        run_training(sft_request(dataset, who, sft_config(epochs=6), base), workspace,
                     dataset=dataset)
        for who in dataset.annotators
    ]  # fmt: skip
    return dataset, workspace, runs


def plain_log_prob(base_name, adapter, prompt, label, explanation):
    """Mean log-probability of the explanation's tokens, by one plain forward without batches."""
    from capo_core.imitation.models.adapters import load_adapter
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.prompts import render, write_response

    base = load_base_model(base_name)
    model = load_adapter(base, adapter).eval()
    rendered = render(prompt, [write_response(label, explanation)], base.tokenizer)
    ids = torch.tensor([[*rendered.prompt, *rendered.responses[0]]])
    with torch.no_grad():
        log_probs = model(ids).logits.double().log_softmax(-1)[0, :-1]
    picked = log_probs.gather(1, ids[0, 1:, None])[:, 0]
    return picked[len(rendered.prompt) - 1 + rendered.heads[0] : -1].mean().item()


def test_the_matrix_is_what_a_plain_forward_gives_and_is_stored(world, tmp_path, monkeypatch):
    from capo_core.imitation.prompting.prompts import zero_shot
    from capo_core.imitation.prompting.responses import items_of

    dataset, _, runs = world
    adapters = author_adapters(dataset, runs)
    items = {item.item_id: item for item in items_of(dataset, "test")}
    ids = list(items)
    texts = [
        (ids[0], "neutral", "Because the premise says so about the cat"),
        (ids[0], "entailment", "I think the dog might be it; hard to say"),
        (ids[1], "contradiction", "No evidence, none at all"),
    ]
    found = log_prob_matrix(dataset, adapters, texts, cache=tmp_path)
    assert found.shape == (3, 3)
    for row, (item, label, explanation) in enumerate(texts):
        prompt = zero_shot(dataset.task, items[item])
        for column, folder in enumerate(adapters.trained.adapters.values()):
            expected = plain_log_prob(adapters.trained.base, folder, prompt, label, explanation)
            assert found[row, column] == pytest.approx(expected, abs=2e-4)
    assert len(np.unique(found.round(5))) == 9  # each adapter its own

    def no_model(*_, **__):
        raise AssertionError("everything is stored")

    monkeypatch.setattr(likelihood, "_base_of", no_model)
    again = log_prob_matrix(dataset, adapters, texts[::-1], cache=tmp_path)
    np.testing.assert_array_equal(again[::-1], found)
    with pytest.raises(AssertionError, match="everything is stored"):
        log_prob_matrix(dataset, adapters, [(ids[1], "neutral", "New words")], cache=tmp_path)


def test_one_precision_answers_for_all_adapters(world, tmp_path, monkeypatch):
    """What "auto" takes is measured: a busy machine may take another one than before."""
    dataset, _, runs = world
    adapters = author_adapters(dataset, runs)
    ids = held_out_items(dataset)
    first, second = (ids[0], "neutral", "No evidence"), (ids[1], "neutral", "No evidence at all")
    found = log_prob_matrix(dataset, adapters, [first], cache=tmp_path)
    before, loaded = likelihood._base_of, []

    def in_half(which, precision):
        loaded.append(precision)
        return before(which, "bf16" if precision == "auto" else precision)

    monkeypatch.setattr(likelihood, "_base_of", in_half)
    again = log_prob_matrix(dataset, adapters, [first], cache=tmp_path)
    np.testing.assert_array_equal(again, found)
    assert loaded == []  # all there, in the precision of then
    both = log_prob_matrix(dataset, adapters, [first, second], cache=tmp_path)
    assert loaded == ["auto"]
    assert (both[0] != found[0]).all()  # nothing of the other precision is taken over
    np.testing.assert_array_equal(
        log_prob_matrix(dataset, adapters, [first, second], cache=tmp_path, precision="bf16"), both
    )


def test_a_damaged_store_is_computed_anew(world, tmp_path):
    dataset, _, runs = world
    adapters = author_adapters(dataset, runs)
    text = [(held_out_items(dataset)[0], "neutral", "No evidence")]
    found = log_prob_matrix(dataset, adapters, text, cache=tmp_path)
    for path in tmp_path.glob("likelihood-*.json"):
        path.write_text('{"half')
    np.testing.assert_array_equal(log_prob_matrix(dataset, adapters, text, cache=tmp_path), found)


def test_the_report_names_authors_by_likelihood(world, tmp_path):
    dataset, _, runs = world
    ids = held_out_items(dataset)
    human = {s.target: s for s in human_streams(dataset, ids) if s.source == HUMAN}
    copies = [
        replace(human[who], source=source, replicate="0", target=target)
        for source, of in (
            ("copy", lambda t: t),
            ("wrong", lambda t: {"A": "B", "B": "C", "C": "A"}[t]),
        )
        for target in dataset.annotators
        for who in [of(target)]
    ]
    config = TableConfig(pool=(1, 4), families=("labels", "attribution"))
    adapters = author_adapters(dataset, runs)
    report = compute_report(dataset, ids, copies, config, cache=tmp_path, authors=adapters,
                            same_training=("copy",))  # fmt: skip
    rows = {source: report.row(source, MEASURE, 1) for source in (HUMAN, OTHER, "copy", "wrong")}
    assert rows["copy"].value == rows[HUMAN].value > 0.8  # the manners of the world are plain
    assert rows["wrong"].value < 0.2 and rows["wrong"].chance == pytest.approx(1 / 3)
    assert rows[HUMAN].n == 18 and rows[HUMAN].low < rows[HUMAN].value
    assert report.row(HUMAN, MEASURE, 4).value >= rows[HUMAN].value
    assert MEASURE in report.eyes["nearest"] and report.eyes["nearest"][MEASURE] == "copy"
    said = {s.topic: s.text for s in report.statements}
    assert "name the author of" in said["likelihood"] and "n = 18" in said["likelihood"]
    assert "copy: written by these adapters themselves" in said["likelihood"]
    assert report.likelihood["runs"] == {
        who: run.run_id for who, run in zip("ABC", runs, strict=True)
    }
    assert EvaluationReport.from_dict(report.to_dict()).likelihood == report.likelihood
    assert "Likelihood attribution: mean log-probability" in report.methods["text"]
    assert MEASURE in to_html(report)
    (test,) = (one for one in referee_tables(report) if one.name == "replacement")
    assert "There is no such test by likelihood" in test.meaning
    assert escape(test.meaning) in to_html(report)
    without = compute_report(dataset, ids, copies, config)
    (test,) = (one for one in referee_tables(without) if one.name == "replacement")
    assert "likelihood" not in test.meaning
    assert without.row(HUMAN, MEASURE, 1) is None and without.likelihood == {}


def test_validation_texts_are_not_calibrated_on_themselves(world, tmp_path):
    dataset, _, runs = world
    ids = held_out_items(dataset, "validation")
    streams = [s for s in human_streams(dataset, ids) if s.source == HUMAN]
    adapters = author_adapters(dataset, runs)
    found = author_scores(dataset, ids, streams, adapters, cache=tmp_path)
    assert found.crossed
    matrix = log_prob_matrix(dataset, adapters, texts_of(streams[0], ids), cache=tmp_path)
    assert not np.allclose(found.streams[0], found.calibration.scores(matrix))


def test_adapters_that_know_the_scored_items_are_refused(world):
    dataset, _, runs = world
    adapters = author_adapters(dataset, runs)
    train = held_out_items(dataset, "train")
    with pytest.raises(RunError, match=r"14 of the 14 scored items, such as 'i0', are in the"):
        author_scores(dataset, train, [], adapters)
    other = dataset.items.assign(split=dataset.items["split"].to_numpy()[::-1])
    with pytest.raises(RunError, match="another split"):
        author_adapters(replace(dataset, items=other), runs)
    with pytest.raises(ConfigError, match="no finished sft run for annotator 'C'"):
        author_adapters(dataset, runs[:2])


def test_sources_written_by_the_same_training_are_found(world):
    """With outputs as a workspace has them: runs that generated, read by `run_outputs`."""
    dataset, workspace, runs = world
    adapters = author_adapters(dataset, runs)
    RunFolder(workspace.runs / "capo-1").claim(
        {"stage": "capo", "settings": {}, "sft": {"run": runs[0].run_id}}
    )
    used = {"sft": runs[0].run_id, "capo": "capo-1", "sft of another seed": "elsewhere"}
    folders = []
    for seed, (source, trained) in enumerate([*used.items(), ("zero_shot", "")]):
        config = GenerateConfig("zero_shot", seed=seed)
        asked = generation_run_config(dataset, ("A",), config, FakeBackend(), {}, {})
        asked["settings"]["method"] = source
        asked["adapters"] = {"A": {"run": trained, "fingerprint": ""}} if trained else {}
        folder = generation_folder(workspace, asked)
        generate(dataset, ("A",), config, FakeBackend(), folder)
        (folder.path / "config.json").write_text(json.dumps(asked))
        folders.append(folder)
    outputs, _ = run_outputs(dataset, folders)
    outputs.append(MethodOutputs("table", "", None, "answers.csv"))
    assert written_by(outputs, adapters, workspace) == ("sft", "capo")


def test_a_text_is_scored_in_one_form_and_with_its_label():
    stream = Stream("m", "A", "", np.arange(4), ("neutral", "neutral", "", "neutral"),
                    (" it says so.", "It says so", "It says so", " . "))  # fmt: skip
    ids = ("1", "1", "1", "1")
    first, second, unread, empty = texts_of(stream, ids)
    assert first == second == ("1", "neutral", same_form("it says so"))
    assert unread is None and empty is None


def test_by_command_and_as_a_run(world, tmp_path, monkeypatch):
    dataset, workspace, runs = world
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    Catalog(workspace).add(dataset, replace=True)
    backend, config = FakeBackend(), GenerateConfig("zero_shot")
    written = generation_folder(
        workspace, generation_run_config(dataset, dataset.annotators, config, backend, {}, {})
    )
    generate(dataset, dataset.annotators, config, backend, written)
    names = [run.run_id for run in runs]
    app = typer.Typer()
    evaluate.mount(app)
    asked = ["--dataset", "tiny", "--run", written.run_id, "--json"]
    done = CliRunner().invoke(app, [*asked, "--author-adapters", *names])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    found = {row["source"]: row for row in said["scores"]
             if (row["measure"], row["target"], row["k"]) == (MEASURE, "all", 1)}  # fmt: skip
    assert found[HUMAN]["value"] > 0.8 and found["zero_shot"]["n"] == 18
    assert said["likelihood"]["runs"] == dict(zip("ABC", names, strict=True))
    refused = CliRunner().invoke(app, [*asked, "--author-adapters", *names[:2]])
    assert refused.exit_code == 2 and "for annotator 'C'" in refused.stderr

    folder = RunFolder(workspace.runs / "evaluate-1")
    settings = {"runs": [written.run_id], "authors": names, "config": {"pool": [1]}}
    evaluate_runs(dataset, settings, workspace, folder, silent)
    report = load(folder.path / REPORT)
    assert report.row(HUMAN, MEASURE, 1).value == found[HUMAN]["value"]
    assert folder.config["authors"] == names
