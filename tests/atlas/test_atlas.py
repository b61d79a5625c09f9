"""The annotator atlas: what is in the file, what is not, and that nothing in it can break out."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from helpers import study_steps as steps
from helpers.comparisons import experiment, world
from helpers.pages import make

from capo_core.atlas.browser_data import browser_data
from capo_core.atlas.content import gather, shown_items
from capo_core.atlas.page import atlas_page, write_atlas
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.stability import store
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.workspace import Workspace

WICKED = "</script><script>alert('x')</script><!-- <b>&amp; \u2028"
MODEL = "an answer that only the model wrote"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A dataset with a wicked text, a stability report, and an experiment that was scored."""
    patch = pytest.MonkeyPatch()
    workspace = Workspace(tmp_path_factory.mktemp("atlas"))
    patch.setenv("CAPO_WORKSPACE", str(workspace.root))
    patch.delenv("CAPO_DATABASE_URL", raising=False)
    data = world()
    annotations = data.annotations.copy()
    annotations.loc[0, "explanation"] = f"The dog {WICKED} surely"
    data = replace(data, annotations=annotations)
    Catalog(workspace).add(data)
    config = StabilityConfig(
        representations=("words",), reductions=("none", "mask_input"), pool=(1, 2), seeds=1,
        permutations=20, draws=20, controls=False,
    )  # fmt: skip
    store.save(*compute_report(data, config), workspace)
    experiment(
        workspace, data,
        {"zero_shot": lambda target, item: f"Label: neutral\nExplanation: {MODEL} {item}"},
    )  # fmt: skip
    yield gather(workspace, "mine")
    patch.undo()


@pytest.fixture(scope="module")
def page(content):
    return atlas_page(content)


def embedded(page: str) -> dict:
    return json.loads(re.search(r"id=data>(.*?)</script>", page, re.S).group(1))


def test_everything_that_the_workspace_has_is_in_it(content, page):
    data = embedded(page)
    assert not content.notes
    assert len(data["items"]) == 48 and [name for name, _ in data["annotators"]] == [
        "ann", "bob", "cyd",
    ]  # fmt: skip
    (one,) = data["evaluations"]
    assert len(one["answers"]) == 12 and MODEL in one["answers"]["36"][0][3]
    assert content.stability.headline in page and "Main scores" in page
    # The first item's text is "The dog number 0 is here": its words are dimmed.
    who, label, text, dimmed, rejected = data["items"][0][4][0]
    assert (who, label, rejected) == (0, 0, 0) and text == f"The dog {WICKED} surely"
    assert dimmed[:4] == [0, 3, 1, 3]


def test_every_figure_has_its_provenance(content, page):
    figures = re.findall(r"<figure.*?</figure>", page, re.S)
    assert len(figures) >= 3 * 2 + 1 + 2  # labels and phrases of three, the ladder, its controls
    for figure in figures:
        assert content.dataset.fingerprint[:16] in re.search(
            r"<p class=source>(.*?)</p>", figure
        ).group(1)


def test_no_text_of_the_data_becomes_markup(page):
    assert "<script>alert" not in page and "<b>&amp;" not in page
    assert page.count("</script>") == 2  # the data's and the page's own


def test_the_page_may_connect_to_nothing_and_names_its_only_script(page):
    assert re.findall(r"https?://|src=|url\(", page) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    script = page[page.rindex("<script>") + len("<script>") : page.rindex("</script>")]
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{own}'")


def test_without_texts_none_is_in_it(content, page):
    bare = atlas_page(content, texts=False)
    texts = [
        *content.dataset.items["text_a"], *content.dataset.items["text_b"],
        *content.dataset.annotations["explanation"], MODEL,
        *content.phrases["phrase"],
    ]  # fmt: skip
    body = bare[: bare.rindex("<script>")]  # the program is nobody's text
    assert [text for text in texts if len(text) > 8 and text in body] == []
    data = embedded(bare)
    assert data["texts"] is False
    assert {one[2] for item in data["items"] for one in item[4]} == {""}
    assert [one[1] for one in data["items"][0][4]] == [0, 1, 2]  # the labels stay
    assert len(bare) < len(page)


def test_a_second_label_and_an_annotator_without_answer_stay_apart(content):
    data = content.dataset
    again = data.annotations.iloc[[1]].assign(annotation_id="again", label="neutral")
    rows = data.annotations.drop(index=2)
    changed = replace(data, annotations=pd.concat([rows, again], ignore_index=True))
    first = browser_data(replace(content, dataset=changed), texts=True)["items"][0]
    assert [one[0] for one in first[4]] == [0, 1, 1]


def test_a_blind_study_is_named_to_the_owner_alone_and_its_results_come_when_it_is_unblinded(
    content, tmp_path, monkeypatch
):
    monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    workspace, data = Workspace(tmp_path), make("mine", items=120)
    steps.put_closed(workspace, data)
    found = gather(workspace, "mine")
    assert found.still_blind == (steps.NAME,) and not found.studies and not found.notes
    assert steps.NAME not in atlas_page(found)
    assert found.cautions(texts=True) == ()  # no method's answer is in it
    told = replace(found, evaluations=content.evaluations)
    assert steps.NAME in told.cautions(texts=True)[0] and told.cautions(texts=False) == ()

    steps.service(workspace).unblind(steps.NAME)
    found = gather(workspace, "mine")
    assert found.still_blind == () and list(found.studies) == [steps.NAME]
    page = atlas_page(found)
    study = page[page.index(f'data-study="{steps.NAME}"') : page.index("data-view=provenance")]
    drawn = re.findall(r"<figcaption>(.*?)</figcaption>", study)
    assert drawn[:2] == [
        "Attributed to the right annotator, by source", "Preferred, in each pair of sources",
    ]  # fmt: skip
    assert "Another annotator&#39;s texts" in study and "other_human" not in study
    assert "judge_id" not in page and "J01" not in page


def test_a_large_dataset_loses_items_those_without_answers_first_and_says_so(content, monkeypatch):
    data = content.dataset
    answers = content.evaluations[0].answers
    whole = shown_items(data, [answers], most=10**9)
    assert whole == tuple(data.items["item_id"])
    kept = shown_items(data, [answers], most=4_000)
    answered = set(answers["item_id"])
    assert len(answered) <= len(kept) < len(whole) and answered <= set(kept)
    assert list(kept) == [item for item in whole if item in kept]  # in their order
    monkeypatch.setattr("capo_core.atlas.content.shown_items", lambda *_args: kept)
    fewer = replace(content)  # nothing cached
    found = browser_data(fewer, texts=True)
    assert [one[0] for one in found["items"]] == list(kept)
    at = {name: number for number, name in enumerate(kept)}
    assert set(found["evaluations"][0]["answers"]) == {str(at[item]) for item in answered}
    assert f"{len(kept):,} of {len(whole):,} items, side by side" in atlas_page(fewer)


def test_an_atlas_is_an_html_file(tmp_path):
    with pytest.raises(ConfigError, match="HTML file"):
        write_atlas(Workspace(tmp_path), "mine", tmp_path / "atlas.pdf")
