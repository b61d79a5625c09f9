"""The page Distributions: with a crowd and without, files good and bad, state in the address."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import experiment, speaker, the_target, world
from helpers.distribution_sources import row
from helpers.links import keys_of, says_it_is_not_here
from helpers.pages import fine, make, open_page, shown

from capo_core.data import catalog
from capo_core.distributions.compare import KL
from capo_core.runs import queue
from capo_core.runs.run import all_runs
from capo_core.task import NLI, LabelScale, Task

NASTY = '<script>alert(1)</script> <img src=x onerror=alert(1)> $x^2$ [a](http://b) "{}"'
ALL_PARTS = ("items", "differences", "explanations", "models", "training")


def with_crowd(dataset, people: int = 10):
    """The dataset with a crowd that says the first label ever less often."""
    labels, rng = dataset.task.scale.labels, np.random.default_rng(0)
    rows = [
        (item, label, int(n))
        for item in dataset.items["item_id"]
        for label, n in zip(
            labels, rng.multinomial(people, rng.dirichlet([1] * len(labels))), strict=True
        )
    ]
    return replace(dataset, crowd=pd.DataFrame(rows, columns=["item_id", "label", "count"]))


def of_labels(dataset, scale: LabelScale):
    """The dataset with labels of another scale, in turn."""
    turn = [scale.labels[n % len(scale.labels)] for n in range(len(dataset.annotations))]
    task = Task("other", scale, "text", "", "What is it?")
    return replace(dataset, task=task, annotations=dataset.annotations.assign(label=turn))


@pytest.fixture
def mine(add):
    dataset = with_crowd(make("mine"))
    add(dataset)
    return dataset


def lines(*rows) -> bytes:
    return "\n".join(json.dumps(one) for one in rows).encode()


def about(dataset, number: int, **fields) -> dict:
    item = dataset.items.iloc[number]
    return {"premise": item["text_a"], "hypothesis": item["text_b"], **fields}


def upload(app, *files: tuple[str, bytes]):
    app.file_uploader[0].set_value([(*file, "application/json") for file in files])
    return app.button(key="distributions.files.read").click().run()


def test_the_demo_says_who_comes_nearest_and_shows_the_floor(workspace):
    said = fine(open_page("distributions", dataset="demo-nli"))
    assert "is significantly closest to the crowd: JS distance " in said or (
        "none is significantly closest to the crowd" in said
    )
    assert "sources on 500 items" in said and "the uniform baseline (" in said
    assert "JS distance ↓" in said or "JS distance" in said
    assert "Distance from the crowd" in said and "Where the crowd disagrees" in said
    assert "1 of 500 items" in said


def test_an_ordinal_scale_without_a_crowd_says_what_to_do_next(workspace):
    app = open_page("distributions", dataset="demo-paraphrase", measure="Wasserstein")
    said = fine(app)
    assert "No crowd distribution" in said and "under *Files*" in said
    assert "the reference is the annotators’ own labels, one of them left out at a time." in said
    assert "closest to the other annotators: " in said and "Wasserstein " in said
    assert "There is no crowd. The reference is the annotators themselves" in said
    assert "Not ranked, as it is made of the reference’s own labels: “single label”." in said
    assert 'class="capo-cols"' in said  # a column for each point of the scale
    # What is compared first has distances: the single label has none to the annotators' own.
    assert app.selectbox(key="distributions.focus.widget").value == "annotator A"
    assert "no items in common" not in said


def test_without_any_dataset_the_page_says_what_to_do(workspace, monkeypatch):
    monkeypatch.setattr(catalog, "shipped_names", lambda folder=None: [])
    assert "No dataset yet" in fine(open_page("distributions"))


@pytest.mark.parametrize("part", ALL_PARTS)
@pytest.mark.parametrize(
    "scale", [NLI.scale, LabelScale(("no", "yes")), LabelScale.between(1, 5)],
    ids=["three labels", "two labels", "ordinal"],
)  # fmt: skip
def test_every_part_of_every_kind_of_scale(part, scale, add):
    add(with_crowd(of_labels(make("mine"), scale)))
    fine(open_page("distributions", dataset="mine", part=part, look="together"))


def test_the_address_alone_brings_a_view_back(mine):
    query = {
        "dataset": "mine", "measure": KL, "focus": "single label", "order": "disputed",
        "against": "annotators", "shown": json.dumps(["single label", "uniform"]), "clip": "0.001",
    }  # fmt: skip
    app = open_page("distributions", **query)
    said = fine(app)
    assert "“single label”" in said
    # The single label is the annotators' own: no winner, however near it is.
    assert "No source other than the uniform baseline is compared with the other annotators" in said
    assert "significantly closest to" not in said
    app.button(key="distributions.items.Next").click().run()
    item = app.query_params["item"]
    again = open_page("distributions", **query, item=item[0] if isinstance(item, list) else item)
    assert "2 of 24 items" in fine(again)
    again.button(key="distributions.items.Previous").click().run()
    assert "1 of 24 items" in fine(again)


def test_an_address_with_nonsense_falls_back(mine):
    fine(
        open_page(
            "distributions", dataset="mine", measure="x", shown="[1, {", clip="-1", order="?",
            look="?",
        )
    )  # fmt: skip


def test_a_filter_that_leaves_nothing_can_be_taken_back(mine):
    app = open_page("distributions", dataset="mine", q="nowhere to be found")
    assert "No items match the filters" in fine(app)
    app.button(key="distributions.items.clear").click().run()
    assert "1 of 24 items" in fine(app)


def test_a_file_stands_beside_the_dataset_and_what_is_missing_is_counted(mine):
    app = open_page("distributions", dataset="mine")
    content = lines(
        about(mine, 0, model=[0.2, 0.3, 0.5]), about(mine, 1, model=[0.2, 0.3, 0.5]),
        row(1, model=[1, 0, 0]),
    )  # fmt: skip
    said = fine(upload(app, ("more.jsonl", content)))
    assert "1 of 3 items of more not in mine; left out." in said
    assert "Items of the crowd that a source lacks are excluded: “model” 22." in said
    assert "files" in app.query_params


def test_a_file_on_other_items_is_shown_alone(mine):
    app = open_page("distributions", dataset="mine")
    content = lines(*(row(n, **{"chaos probs": [0.1, 0.7, 0.2], "a": [0.2, 0.6, 0.2]})
                      for n in range(3)))  # fmt: skip
    said = fine(upload(app, ("other.jsonl", content)))
    assert "shown without it" in said and "1 of 3 items" in said
    assert "Items of the file other, not of mine." in said
    assert "No source is significantly closer to the crowd than the uniform baseline" in said
    assert "“a” has 0.10" in said and "With fewer than 6 items" in said


def test_a_crowd_alone_leads_to_a_model(mine):
    app = open_page("distributions", dataset="mine")
    said = fine(upload(app, ("other.json", lines(row(1, **{"chaos probs": [0.1, 0.7, 0.2]})))))
    assert "No source other than the uniform baseline" in said and "Nothing to compare yet" in said
    app.button(key="distributions.ask").click().run()
    assert "New estimate" in fine(app)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lines(row(1, crowd=[0.5, 0.2, 0.1])), "sums to 0.8, not to 1"),
        (lines(row(1, **{"mnli label": "neutral"}), row(2, **{"mnli label": "perhaps"})),
         "found the unknown label 'perhaps'"),
        (lines(row(1, comments=[["Why.", "maybe"]])), "unknown label 'maybe'"),
        (lines(row(1, crowd=[0.5, 0.5])), "list the file's labels"),
        (lines({"crowd": [1, 0, 0]}), "no field holds the item's text"),
        (b"{ not json", "is not valid JSON"),
    ],
    ids=["sum", "label", "label of an explanation", "labels", "no text", "no json"],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_is_wrong_and_the_page_stays(mine, content, words):
    app = open_page("distributions", dataset="mine")
    before = "Distance from the crowd"
    assert before in fine(app)
    upload(app, ("bad.jsonl", content))
    assert not app.exception and len(app.error) == 1
    told = app.error[0].value
    assert words in told.replace("\\", "")
    assert before in shown(app) and "files" not in app.query_params


def test_of_two_files_the_good_one_is_opened_and_the_bad_one_named(mine):
    app = open_page("distributions", dataset="mine")
    upload(
        app, ("bad.jsonl", lines(row(1, crowd=[0.5, 0.2, 0.1]))),
        ("good.jsonl", lines(about(mine, 0, model=[0.2, 0.3, 0.5]))),
    )  # fmt: skip
    assert len(app.error) == 1 and "good: 1 item" in shown(app)
    assert not app.run().error  # said once


def test_nothing_chosen_is_said(mine):
    app = open_page("distributions", dataset="mine")
    app.button(key="distributions.files.read").click().run()
    assert "No file was chosen" in app.error[0].value


def test_texts_from_data_and_files_are_shown_as_they_stand(add):
    dataset = with_crowd(make("nasty", text=NASTY))
    add(dataset)
    app = open_page("distributions", dataset="nasty", q="script")
    content = lines(about(dataset, 0, **{NASTY: [0.2, 0.3, 0.5],
                                         "comments": [[NASTY, "neutral"]]}))  # fmt: skip
    said = fine(upload(app, (f"{'x' * 300}<b>.jsonl", content)))
    for part in ALL_PARTS:
        said += fine(open_page("distributions", dataset="nasty", part=part,
                               files=app.query_params["files"][0]))  # fmt: skip
    bare = said.replace("\\<", "")
    assert "<script" not in bare and "<img" not in bare


def test_names_from_data_are_neither_links_nor_pictures(add):
    name = "![x](http://b/p.png) [a](http://b) $x^2$ *c*"
    add(with_crowd(make("nasty", annotators=(name, "ann"))))
    query = {"dataset": "nasty", "shown": json.dumps([f"annotator {name}", "annotator ann"])}
    for part in ALL_PARTS:
        app = open_page("distributions", **query, against=f"annotator {name}", part=part)
        fine(app)
        kinds = ("header", "subheader", "markdown", "caption", "warning", "info")
        texts = [str(one.value) for kind in kinds for one in getattr(app, kind)]
        texts += [str(one.help) for kind in ("selectbox", "toggle") for one in getattr(app, kind)]
        bare = "\n".join(texts)
        assert "b/p" in bare, part  # the name is shown
        assert "](http" not in bare and "$x" not in bare.replace("\\$", "")


def test_long_and_foreign_texts_do_no_harm(add):
    add(with_crowd(make("long", text="{} " + "שלום 日本語 🙂 word " * 400)))
    said = fine(open_page("distributions", dataset="long"))
    assert "truncated; the download has the full text" in said


def test_explanations_are_compared_when_asked(mine):
    app = open_page("distributions", dataset="mine", part="explanations")
    assert "PatternTagger" not in fine(app)
    app.button(key="distributions.like.words").click().run()
    said = fine(app)
    assert "Parts of speech by spaCy" in said and "for English" in said
    assert "No model explanations for these items yet" in said
    measured = next(f.value for f in app.dataframe if "measure" in f.value.columns)
    assert {"words", "words, as published", "syntax", "syntax, as published"} <= set(
        measured["measure"]
    )
    # The charts show one of the two, and the address keeps which.
    app.segmented_control(key="distributions.overlap.widget").set_value("published").run()
    fine(app)
    assert app.query_params["overlap"] == "published"


def test_what_a_models_explanations_would_change(mine):
    app = open_page("distributions", dataset="mine", part="explanations")
    pairs = [["It is what it is.", label] for label in NLI.scale.labels]
    content = lines(*(about(mine, n, machine=pairs) for n in range(24)))
    upload(app, ("machine.jsonl", content))
    app.button(key="distributions.replace").click().run()
    said = fine(app)
    # Three people, one explanation a label: who gave the same label as another before finds none.
    assert "cannot be: machine has none left for the label" in said
    assert "--replace-by" in "".join(one.value for one in app.code)


def test_imitated_annotators_are_sources_and_their_team_is_shown_first(workspace, add):
    dataset = with_crowd(world(held_out=6))
    add(dataset)
    experiment(workspace, dataset, {"capo": speaker(dataset, the_target)})
    app = open_page("distributions", dataset=dataset.name)
    said = fine(app)
    assert "<b>CAPO team</b>" in said and "<b>CAPO ann</b>" not in said
    # Those who write as the target does say what the annotators said, on the held-out items.
    assert "Items of the crowd that a source lacks are excluded: “CAPO team”" in said
    shown_all = json.dumps(["capo ann", "capo team"])
    said = fine(open_page("distributions", dataset=dataset.name, shown=shown_all, focus="capo ann"))
    assert "From “CAPO ann” to the crowd" in said


def test_an_estimate_and_a_training_are_one_click_away(mine, workspace, monkeypatch):
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: None)
    app = open_page("distributions", dataset="mine", part="models")
    assert "No finished estimate for these items yet" in fine(app)
    # Whole label words at temperature 1; letters at 20, as published.
    assert any("--base smollm2 --options words --queue" in code.value for code in app.code)
    app.selectbox(key="distributions.new.options.base").set_value("letters").run()
    assert any("--options letters --queue" in code.value for code in app.code)
    # These texts are no simulator's: the embedded base model is refused with the reason.
    app.selectbox(key="distributions.new.model").set_value("embedded").run()
    assert "was made for simulated data" in shown(app) and "144 prompts" not in shown(app)
    assert app.button(key="distributions.new.begin").disabled
    app.toggle(key="distributions.new.allow_embedded").set_value(True).run()
    assert "144 prompts" in shown(app)  # 24 items, 6 orders of three labels
    assert any("--allow-embedded" in code.value for code in app.code)
    # The published temperature would make the small base's shares uniform.
    assert any("--temperature 1 " in code.value for code in app.code)
    app.button(key="distributions.new.begin").click().run()
    fine(app)
    app = open_page("distributions", dataset="mine", part="training")
    assert "It runs in the background; you can close this page" in shown(app)
    app.button(key="distributions.train").click().run()
    fine(app)
    assert sorted(run.request.kind for run in all_runs(workspace)) == ["estimate", "softlabel"]


@pytest.mark.parametrize("key", keys_of("distributions"))
def test_a_link_to_what_is_not_among_the_distributions_says_so(key, mine):
    says_it_is_not_here("distributions", key, "mine")
