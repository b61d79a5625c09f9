"""The figures that were measured on real data before this code was written.

The data are not ours to ship: these tests read them from `CAPO_SHARED`/data and skip without.
"""

import dataclasses
import os
from pathlib import Path

import pytest

from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset
from capo_core.formatting import percent
from capo_core.stability.config import StabilityConfig
from capo_core.stability.controls import control_features
from capo_core.stability.corpus import build_corpus
from capo_core.stability.ladder import compute_point, prepare_ladder
from capo_core.stability.report import compute_report
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts
from capo_core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CAPO_SHARED") or ROOT.parent / "shared") / "data"
CONFIG = StabilityConfig(
    representations=("embedding", "words"),
    reductions=("none", "mask_input"),
    pool=(1, 8, 16),
    seeds=2,
    permutations=200,
)


def ladder_of(report):
    frame = report.ladder.to_frame().set_index(["representation", "reduction", "k"])
    return frame["accuracy"]


@pytest.fixture(scope="module")
def varierr(tmp_path_factory):
    path = SHARED / "varierr" / "varierr.json"
    if not path.exists():
        pytest.skip(f"VariErr is not at {path} (set CAPO_SHARED)")
    dataset = read_dataset(path, name="varierr").dataset
    return compute_report(dataset, CONFIG, cache=tmp_path_factory.mktemp("cache"))[0]


def test_ladder_of_varierr(varierr):
    accuracy = ladder_of(varierr)
    assert 0.50 <= accuracy["embedding", "none", 1] <= 0.56
    assert accuracy["embedding", "mask_input", 1] >= 0.57
    assert accuracy["words", "none", 1] >= 0.75
    assert accuracy["embedding", "mask_input", 8] >= 0.93
    assert accuracy["embedding", "none", 16] >= 0.93


def test_controls_of_varierr(varierr):
    controls = varierr.controls.to_frame()
    single = controls[controls["k"] == 1].set_index(["control", "representation", "reduction"])

    def accuracy(*key):
        return single.loc[key, "accuracy"]

    assert 0.28 <= accuracy("label", "label", "none") <= 0.32
    assert 0.33 <= accuracy("length", "length", "none") <= 0.37
    assert 0.24 <= accuracy("input", "embedding", "none") <= 0.27
    assert single.loc[("input", "embedding", "none"), "p_value"] > 0.5
    masked = ladder_of(varierr)["embedding", "mask_input", 1]
    assert masked - accuracy("random_mask", "embedding", "mask_input") >= 0.07
    assert accuracy("others_mean", "embedding", "none") > 0.32  # the leak
    shuffled = controls.query("control == 'shuffled' and k == 1")["accuracy"]
    assert shuffled.between(0.24, 0.26).all()


def test_p_values_variance_and_reliability_of_varierr(varierr):
    # The smallest that 200 permutations can give; with 1,000 it is .001.
    assert varierr.ladder.to_frame()["p_value"].max() == pytest.approx(1 / 201)
    variance = varierr.variance.to_frame().set_index(["representation", "reduction"])
    row = variance.loc[("embedding", "none")]
    assert row["item"] > 10 * row["annotator"] > 0
    halves = varierr.reliability.to_frame().query("representation == 'embedding'")
    assert halves.query("reduction == 'none'")["self"].max() >= 0.75


def test_paraphrase_speaks_for_itself():
    path = SHARED / "lewidi" / "Paraphrase_train.json"
    if not path.exists():
        pytest.skip(f"the paraphrase set is not at {path} (set CAPO_SHARED)")
    dataset = read_dataset(path, name="paraphrase").dataset
    config = StabilityConfig(
        representations=("words",), reductions=("none", "mask_input"), pool=(1, 16),
        seeds=1, permutations=50,
    )  # fmt: skip
    report, _ = compute_report(dataset, config)
    said = {statement.topic: statement.text for statement in report.statements}
    controls = report.controls.to_frame()
    label = controls[(controls["control"] == "label") & (controls["k"] == 1)].iloc[0]
    assert percent(label["accuracy"]) in said["label"]


def single_points(dataset, cache):
    """Accuracy of the three points that are held equal, of single and of eight explanations.

    They are computed alone: the others read five times as many texts.
    """
    config = dataclasses.replace(CONFIG, pool=(1, 8), permutations=20)
    corpus = build_corpus(dataset, least=config.min_explanations, most=0, seed=0)
    authors = [corpus.annotators[number] for number in corpus.annotator]
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b, authors)
    representer = Representer(texts, Embedder(cache), seed=config.seed)
    features = {
        "embedding, masked": representer.features("embedding", "mask_input"),
        "words": representer.features("words", "none"),
        "label": control_features("label", corpus, representer),
    }
    setup = prepare_ladder(corpus, config)
    found = {}
    for name, made in features.items():
        point = compute_point(setup, lambda made=made: made, (name, "none", ""))
        found |= {(name, k): one.accuracy for k, one in zip((1, 8), point.pooled, strict=True)}
    return found


@pytest.mark.parametrize("demo", ["demo-nli", "demo-paraphrase"])
def test_the_shipped_demo_is_as_hard_as_varierr(demo, varierr, tmp_path):
    own = single_points(Catalog(Workspace(tmp_path)).load(demo), tmp_path / "cache")
    real = ladder_of(varierr)
    for name, view in (
        ("embedding, masked", ("embedding", "mask_input")), ("words", ("words", "none")),
    ):  # fmt: skip
        for k in (1, 8):
            assert own[name, k] == pytest.approx(real[*view, k], abs=0.08), (name, k)
    label = varierr.controls.to_frame().query("control == 'label' and k == 1")["accuracy"].iloc[0]
    assert own["label", 1] == pytest.approx(label, abs=0.05)
