"""The annotators page: profiles, comparisons of two, and the items view."""

from __future__ import annotations

import json
from dataclasses import replace

from helpers.pages import make, open_page, shown


def test_a_phrase_opens_the_explanations_behind_it(add, begun):
    dataset = make("mine", items=40)
    add(dataset)
    app = open_page("annotators", dataset="mine", who="bob", phrase="maybe")
    said = shown(app)
    texts = dataset.annotations.set_index("annotator_id")["explanation"]
    count = texts["bob"].str.contains("maybe").sum()
    assert f"In {count} of 40 explanations by bob" in said
    assert "<mark>maybe</mark>" in said


def test_a_filter_of_the_item_browser_is_kept_in_the_address(add, begun):
    add(make("mine"))
    app = open_page("annotators", dataset="mine", view="items")
    app.text_input[0].input("river").run()
    assert app.query_params["q"] == "river"
    assert "<mark>river</mark>" in shown(app)
    # Every sixth item has the river: 3, 9, 15, 21.
    assert app.selectbox(key="annotators.item.widget").options == ["i3", "i9", "i15", "i21"]
    again = open_page("annotators", **{key: str(v) for key, v in app.query_params.items()})
    assert again.selectbox(key="annotators.item.widget").value == "i3"


def test_next_and_previous_go_round(add, begun):
    add(make("mine"))
    app = open_page("annotators", dataset="mine", view="items", item="i23")
    app.button(key="annotators.items.Next").click().run()
    assert app.query_params["item"] == "i0"
    app.button(key="annotators.items.Previous").click().run()
    assert app.query_params["item"] == "i23"


def test_the_items_own_words_are_dimmed_on_demand(add, begun):
    add(make("mine"))
    plain = shown(open_page("annotators", dataset="mine", view="items"))
    assert "capo-input" not in plain.replace(".capo-input", "")
    grey = shown(open_page("annotators", dataset="mine", view="items", manner="1"))
    assert '<span class="capo-input">' in grey


def test_another_dataset_forgets_the_filters_of_the_last_one(add, begun):
    add(make("mine"))
    add(make("other", annotators=("ann", "bob")))
    app = open_page("annotators", dataset="mine", view="items", annotator="cyd")
    app.sidebar.selectbox[0].select("other").run()
    assert not app.exception
    assert app.query_params["dataset"] == "other"
    assert "annotator" not in app.query_params


def test_two_annotators_are_set_against_each_other(add, begun):
    add(make("mine"))
    said = shown(open_page("annotators", dataset="mine", view="two", who="ann", than="cyd"))
    assert "ann and cyd both annotated 24 items" in said


def test_two_are_opened_with_the_pair_that_has_most_common_items(add, begun):
    dataset = make("mine")
    at = dataset.items["item_id"].tolist()
    of = {"ann": at[:4], "bob": at[4:14], "cyd": at[8:16]}
    keep = [row.item_id in of.get(row.annotator_id, ()) for row in dataset.annotations.itertuples()]
    apart = dataset.annotations[keep].reset_index(drop=True)
    add(replace(dataset, annotations=apart))
    assert "bob and cyd both annotated 6 items" in shown(
        open_page("annotators", dataset="mine", view="two")
    )
    assert "cyd and bob both annotated 6 items" in shown(
        open_page("annotators", dataset="mine", view="two", who="cyd")
    )
    assert "ann and bob have no item in common" in shown(
        open_page("annotators", dataset="mine", view="two", who="ann")
    )


def test_the_items_of_a_pair_keep_the_pair_and_a_cell_its_labels(add, begun):
    dataset = make("mine")
    add(dataset)
    by = dataset.annotations.pivot(index="item_id", columns="annotator_id", values="label")
    by = by.loc[dataset.items["item_id"]]
    apart = by.index[by["ann"] != by["cyd"]].tolist()
    app = open_page("annotators", dataset="mine", view="two", who="ann", than="cyd", differ="1")
    button = app.button(key="annotators.two.differ")
    assert button.label == f"{len(apart)} items where ann and cyd differ"
    button.click().run()
    assert not app.exception
    assert (app.query_params["first"], app.query_params["second"]) == ("ann", "cyd")
    assert "differ" not in app.query_params  # where anybody differs
    assert app.selectbox(key="annotators.item.widget").options == apart
    pair = app.button(key="annotators.items.pair")
    assert pair.label == "Only where ann and cyd differ ✕"
    pair.click().run()
    assert len(app.selectbox(key="annotators.item.widget").options) == 24

    labels = (by.at[apart[0], "ann"], by.at[apart[0], "cyd"])
    cell = by.index[(by["ann"] == labels[0]) & (by["cyd"] == labels[1])].tolist()
    query = dict(zip(("first_label", "second_label"), labels, strict=True))
    app = open_page("annotators", dataset="mine", view="items", first="ann", second="cyd", **query)
    assert app.selectbox(key="annotators.item.widget").options == cell
    assert labels[0] in app.button(key="annotators.items.pair").label

    app = open_page("annotators", dataset="mine", view="items", first="ann", second="zed")
    assert "“zed” is not in this dataset" in shown(app)
    assert len(app.selectbox(key="annotators.item.widget").options) == 24


def test_equal_explanations_with_a_phrase_are_shown_once_and_lead_to_their_items(add, begun):
    dataset = make("mine")
    rows = dataset.annotations
    same = rows["annotator_id"].eq("bob") & rows["item_id"].isin(["i0", "i1", "i2"])
    rows = rows.assign(
        explanation=rows["explanation"].mask(same, "maybe so"),
        label=rows["label"].mask(same, "neutral"),
    )
    add(replace(dataset, annotations=rows))
    said = shown(open_page("annotators", dataset="mine", who="bob", phrase="maybe"))
    assert said.count("<mark>maybe</mark> so") == 1 and "×3" in said
    assert 'href="annotators?dataset=mine&amp;view=items&amp;item=i0"' in said


def test_style_features_stand_with_unit_and_interval_in_few_columns(add, begun):
    add(make("mine", items=60))
    app = open_page("annotators", dataset="mine", who="bob")
    (features,) = [each for each in app.dataframe if "strength" in each.value.columns]
    assert not {"low", "high"} & set(features.value.columns)
    widths = json.loads(features.proto.columns)
    # A window of 820 pixels has 788 for a table.
    assert sum(widths[name]["width"] for name in features.value.columns) <= 780
    assert set(features.value["unit"]) <= {"% of explanations", "% of words", "words", "characters",
                                           "per explanation"}  # fmt: skip


def test_a_median_is_not_read_as_a_number_of_annotators(add, begun):
    """Finding: "median 5 of 60 annotators"."""
    add(make("mine", items=20))
    said = shown(open_page("annotators", dataset="mine", view="all"))
    assert "Words per explanation (median): the median over 3 annotators is " in said
