"""The stability page: begins when it is asked to, shows a report, opens its texts."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html import unescape

from helpers.pages import TINY, make, open_page, shown

from capo_core.dashboard.stability import jobs
from capo_core.runs import submit
from capo_core.runs.status import Status
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.workspace import write_json


def test_nothing_is_computed_before_a_button_says_so(add, begun):
    add(make("mine"))
    for page in ("overview", "stability"):
        app = open_page(page, dataset="mine")
        assert begun == []
        said = shown(app)
        assert "About" in said and "on two idle cores" in said
    app.button(key="begin.full").click().run()
    assert begun == [("mine", StabilityConfig())]


def test_the_first_page_begins_a_report_by_its_button(workspace, begun):
    app = open_page("overview")
    assert begun == []
    app.button(key="begin.quick").click().run()
    assert begun == [("demo-nli", QUICK)]
    assert not app.exception and "report" not in app.query_params


def test_the_expected_time_grows_with_the_explanations_up_to_the_most():
    quick, full = jobs.PRESETS["quick"], jobs.PRESETS["full"]
    assert quick.expected_s(2_000) < full.expected_s(2_000) < full.expected_s(4_000)
    # The quick report draws 20,000 explanations at most.
    assert quick.expected_s(20_000) == quick.expected_s(500_000)


def test_a_stopped_computation_is_not_begun_again_by_itself(workspace, add, begun):
    entry = add(make("mine"))
    settings = jobs.settings(entry, QUICK)
    job = submit.begun_at(workspace, "stability", settings)
    job.folder.mkdir(parents=True)
    write_json(job.folder / "config.json", {"kind": "stability", "settings": settings})
    job.write(Status(state="stopped", message="stopped on request", queued=time.time()))
    app = open_page("stability", dataset="mine")
    assert begun == []
    assert "stopped" in shown(app)
    assert app.button(key="begin.quick")


def test_a_failure_is_told_in_its_own_words(workspace, add, begun):
    entry = add(make("mine"))
    settings = jobs.settings(entry, QUICK)
    job = submit.begun_at(workspace, "stability", settings)
    job.folder.mkdir(parents=True)
    write_json(job.folder / "config.json", {"kind": "stability", "settings": settings})
    job.write(Status(state="failed", message="there are not two annotators", queued=time.time()))
    said = shown(open_page("stability", dataset="mine"))
    assert "there are not two annotators" in said


def test_the_report_is_shown_with_its_sentence_and_its_texts(with_report, measured):
    _, report, _ = measured
    app = open_page("stability", dataset="measured")
    said = shown(app)
    headline = next(s.text for s in report.statements if s.topic == "headline")
    assert headline.split(" %")[0].split()[0] in said
    assert "correctly attributed" in said
    assert "capo-answer" in said


def test_the_point_in_the_address_opens_its_groups(with_report, measured):
    _, _, evidence = measured
    app = open_page("stability", dataset="measured", k="2", outcome="wrong", rep="words")
    groups = evidence.groups("words", "none", 2).drop_duplicates("group")
    right, total = int(groups["correct"].sum()), len(groups)
    said = shown(app)
    assert f"{right:,} of {total:,} groups correctly attributed" in said
    assert (" attributed to " in said) == (right < total)


def test_the_headlines_point_is_open_unless_the_address_says_another(with_report, measured):
    app = open_page("stability", dataset="measured")
    boxes = {box.label: box.value for box in app.selectbox}
    # The headline's are masked input words where they were measured, and the most pooled.
    assert boxes["Reduction"] == "none" and boxes["Explanations pooled (k)"] == "2"
    said = shown(app)
    assert "Word n-grams, whole text: " in said and "range over reductions" not in said


def test_texts_behind_a_point_have_items_links_and_dimmed_words(workspace, add):
    from capo_core.stability import store
    from capo_core.stability.report import compute_report

    dataset = make("masked")
    rows = dataset.annotations
    same = rows["annotator_id"].eq("cyd") & (rows["item_id"].str.len() == 2)  # i0 to i9
    rows = rows.assign(
        explanation=rows["explanation"].mask(same, "the river is not here"),
        label=rows["label"].mask(same, "neutral"),
    )
    dataset = replace(dataset, annotations=rows)
    add(dataset)
    config = replace(TINY, reductions=("none", "mask_input"))
    store.save(*compute_report(dataset, config, cache=workspace.cache), workspace)
    app = open_page("stability", dataset="masked", k="1", who="cyd")
    assert not app.exception
    assert next(b.value for b in app.selectbox if b.label == "Reduction") == "mask_input"
    said = shown(app)
    assert "Dimmed: words that are replaced under “Input words masked”." in said
    # "The dog number 0 is here": the ten equal texts, all by cyd as the classifier sees it, are one
    # tile.
    dim = '<span class="capo-input">is</span> not <span class="capo-input">here</span>'
    assert said.count(dim) == 1 and "×10" in said
    assert re.search(r'href="annotators\?dataset=masked&amp;view=items&amp;item=i\d', said)
    assert "number" in said and "different texts" in said
    whole = shown(open_page("stability", dataset="masked", k="1", who="cyd", red="none"))
    assert "Dimmed" not in whole and 'class="capo-input"' not in whole
    pooled = shown(open_page("stability", dataset="masked", k="2", who="cyd"))
    assert 'class="capo-input"' in pooled and "&amp;item=i" in pooled


def test_every_part_of_the_report_opens(with_report):
    for part in ("numbers", "variance", "reliability", "information", "agreement", "calibration"):
        app = open_page("stability", dataset="measured", part=part)
        assert not app.exception, part


def test_a_report_by_the_command_line_is_found(with_report, begun):
    app = open_page("stability", dataset="measured")
    titles = [each.proto.popover.label for each in app.get("popover")]
    assert f"Report: {jobs.title(TINY)}" in titles and begun == []


def test_few_explanations_of_each_are_said_with_label_agreement(workspace, add):
    from capo_core.stability import store
    from capo_core.stability.report import compute_report

    dataset = make("few", items=6)
    add(dataset)
    report, evidence = compute_report(dataset, TINY, cache=workspace.cache)
    store.save(report, evidence, workspace)
    app = open_page("stability", dataset="few")
    assert not app.exception
    said = shown(app)
    assert "0 of 3 annotators have at least 10 explanations (median 6, most 6)" in said
    assert "Too few explanations for a ladder" in said and "Inter-annotator agreement" in said


def test_what_is_not_attributed_or_confounded_is_said_on_the_page(workspace, add):
    from capo_core.stability import store
    from capo_core.stability.report import compute_report

    dataset = make("alone", annotators=("ann", "bob"), items=40)
    rows = dataset.annotations
    turn = rows["item_id"].str[1:].astype(int) % 2 == (rows["annotator_id"] == "bob")
    dataset = replace(dataset, annotations=rows[turn].reset_index(drop=True))
    add(dataset)
    store.save(*compute_report(dataset, TINY, cache=workspace.cache), workspace)
    app = open_page("stability", dataset="alone", part="numbers")
    assert not app.exception
    assert "no permutation null and no p-value" in shown(app)


def test_the_likeliest_author_is_shown_where_it_was_computed_and_offered_where_not(
    with_report, workspace
):
    from helpers.author_attribution import made_attribution

    from capo_core.evaluation.authors import store

    app = open_page("stability", dataset="measured", part="authors")
    said = shown(app)
    assert not app.exception and "Not computed for this dataset yet" in said
    assert "Still missing: 3 annotators of 3" in said
    assert app.button(key="authors.begin").disabled  # what lacks is said instead
    result = made_attribution(with_report)
    store.save(result, workspace)
    app = open_page("stability", dataset="measured", part="authors")
    said = unescape(shown(app)).replace("\u00a0", " ")
    assert not app.exception and not app.error
    assert "The likeliest of 3 adapters is the author's own for" in said
    assert "Leak test, no result: on the" in said and "Scored: " in said
    leak = open_page("stability", dataset="measured", part="authors", author_items="train")
    assert not leak.exception and "leak test: items that the adapters were trained on" in shown(
        leak
    )
