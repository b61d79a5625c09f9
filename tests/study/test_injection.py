"""Texts that would be a script, a formula or a link elsewhere stay texts in all that is made."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from helpers.pages import make
from helpers.provenance import PLACE, bare_lines

from capo_core.dashboard.judging import trial_html
from capo_core.dashboard.studies import compute, export
from capo_core.dashboard.ui.text import markdown
from capo_core.data.catalog import Catalog
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.prompts import write_response
from capo_core.stats.intervals import json_rows
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.preference_pairs import PairFilter, pairs_of, write_pairs
from capo_core.study.analysis.report import to_markdown
from capo_core.study.config import StudyConfig
from capo_core.study.design import draft, freeze
from capo_core.study.design.draft import draw
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.owner.export import as_text, read_judgments
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_judge_store, open_store
from capo_core.task import LabelScale, Task
from capo_core.workspace import Workspace

FORMULA = '=HYPERLINK("http://evil.example","click")'
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
REST = "{{7*7}} [here](javascript:alert(3)) | `x` \\input{y} \x07\u202e\"'&amp;"
HOSTILE = f"{FORMULA} {SCRIPT} {REST}"
# Reasons of judges: each beginning that a spreadsheet takes for a formula.
REASONS = [f"{mark}1+1 {HOSTILE}" for mark in ("=", "+", "-", "@", "\t=", "\r=", "'=", "\n=")]
NAME = "hostile"
KINDS = ("attribution", "comparison", "reasoning")
MODEL = "a-model"


def hostile_dataset():
    """Each text field carries HOSTILE; what made texts differ before still does."""
    data = make(NAME, items=150)
    task = Task(
        f"{HOSTILE} task",
        LabelScale(tuple(f"{HOSTILE} {label}" for label in data.task.scale.labels)),
        role_a=f"{HOSTILE} a", role_b=f"{HOSTILE} b", instruction=f"{HOSTILE} asked",
    )  # fmt: skip
    items = _worse(data.items, "item_id", "text_a", "text_b")
    said = _worse(
        data.annotations, "annotation_id", "item_id", "annotator_id", "label", "explanation"
    )
    return replace(data, task=task, items=items, annotations=said)


def _worse(frame, *columns: str):
    return frame.assign(**{each: f"{HOSTILE} " + frame[each] for each in columns})


def hostile_model(dataset):
    """A model that answers with hostile explanations, some in the form asked for, some not."""
    labels = dataset.task.scale.labels

    def answer(request):
        draw = random.Random(request.key)
        said = f"{HOSTILE} the model {draw.choice(('says', 'finds', 'holds'))} {draw.random()}"
        if draw.random() < 0.1:
            return f"{FORMULA} no answer in any form {SCRIPT}"
        return write_response(draw.choice(labels), said)

    return FakeBackend(answer)


def hostile_run(workspace) -> str:
    """A finished run of that model in the place of each annotator; its name."""
    dataset = Catalog(workspace).load(NAME)
    config, model = GenerateConfig("zero_shot", max_new_tokens=2000), hostile_model(dataset)
    asked = generation_run_config(dataset, dataset.annotators, config, model, {}, {})
    folder = generation_folder(workspace, asked)
    answers = generate(dataset, dataset.annotators, config, model, folder)
    assert 0.7 < (answers["parsed"] == "true").mean() < 1
    return folder.run_id


class Judged:
    """A study of hostile texts, answered with hostile reasons, closed and unblinded."""

    def __init__(self, workspace) -> None:
        Catalog(workspace).add(hostile_dataset())
        config = StudyConfig(
            name=NAME, dataset=NAME, kinds=KINDS,
            sources={
                "human": "human", "other_human": "other_human",
                MODEL: (hostile_run(workspace),),
            },
            judges=2, judgments_per_trial=2, trials_per_judge=6, practice=1, ask_reason=True,
            planned_analysis=HOSTILE, consent=HOSTILE, instructions=HOSTILE,
        )  # fmt: skip
        self.dataset = Catalog(workspace).load(NAME)
        self.draft = draw(workspace, config)
        draft.create(workspace, self.draft)
        freeze.freeze(workspace, NAME, accept_leaks=True)
        self.service = StudyService(open_store(workspace))
        self.service.take_in(workspace, NAME)
        self.views, self.terms = [], Terms()
        engine = open_judge_store(workspace)
        for invited in self.service.invite(NAME, 2, note=HOSTILE):
            self._answer(JudgeDesk(engine, invited.token))
        engine.dispose()
        self.service.close(NAME)
        self.service.unblind(NAME)
        self.frame = self.service.export_judgments(NAME, practice=True)
        self.report = compute.report(workspace, NAME, self.service.export_judgments(NAME))

    def _answer(self, desk: JudgeDesk) -> None:
        self.terms = desk.open()
        desk.consent()
        while hasattr(view := desk.next_trial(), "trial_id"):
            reason = REASONS[len(self.views) % len(REASONS)]
            desk.answer(view.trial_id, view.answers[0], confidence="3", reason=reason)
            self.views.append(view)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def judged(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CAPO_DATABASE_URL", raising=False)
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres")
            patch.setenv("CAPO_DATABASE_URL", server.database())
        made = Judged(Workspace(tmp_path_factory.mktemp("hostile")))
        yield made
        made.service.engine.dispose()


class Tags(HTMLParser):
    """What a browser would make of a page: its tags, their attributes, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.words = set(), set(), ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words += data


def exports(judged):
    """Name → table, of all that an owner may take away as rows."""
    return {
        "judgments": judged.frame,
        "history": judged.service.export_history(NAME),
        "audit": judged.service.audit_log(NAME),
    }


def test_what_a_model_wrote_was_judged_beside_what_people_did(judged):
    assert judged.service.engine.dialect.name in ("sqlite", "postgresql")
    shown = {text.explanation for view in judged.views for text in view.texts}
    assert any(" the model " in text for text in shown), "a model's"
    assert any(" the model " not in text for text in shown), "and people's"
    named = judged.frame[["source", "source_a", "source_b"]].to_numpy().ravel()
    assert {"human", "other_human", MODEL} <= set(named)


def test_no_cell_of_a_csv_is_a_formula_and_all_of_them_read_back(judged, tmp_path):
    for name, frame in exports(judged).items():
        text = as_text(frame, "csv", PLACE)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == len(frame) + 1, name
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n")] == [], name
    assert any(FORMULA in cell for cell in judged.frame["item_id"])
    file = tmp_path / "judgments.csv"
    file.write_bytes(as_text(judged.frame, "csv", PLACE).encode("utf-8"))
    assert read_judgments(file).to_dict("records") == judged.frame.to_dict("records")


def test_json_lines_hold_every_text_as_it_is(judged, tmp_path):
    for name, frame in exports(judged).items():
        text = as_text(frame, "jsonl", PLACE)
        assert text.endswith("\n")
        assert bare_lines(text) == frame.to_dict("records"), name
    # Of a reason only control marks and the white space around it are gone.
    assert set(judged.frame["reason"]) == {each.replace("\x07", "").strip() for each in REASONS}
    pairs = pairs_of(
        judged.draft, judged.dataset, judged.service.export_judgments(NAME),
        judged.report.analysis.quality, PairFilter("none"),
    )  # fmt: skip
    file = write_pairs(pairs, tmp_path / "pairs.jsonl", PLACE)
    assert bare_lines(file.read_bytes().decode("utf-8")) == json_rows(pairs) != []
    assert all(SCRIPT in one for name in ("prompt", "chosen", "rejected") for one in pairs[name])


def test_a_judges_page_shows_texts_as_texts(judged):
    assert {view.kind for view in judged.views} == set(KINDS)
    for view in [*judged.views, compute.example(judged.draft, "J01", 2)]:
        pages = [trial_html.texts_html(view, judged.terms)]
        if view.cards:
            pages.append(trial_html.cards_html(view.cards, judged.terms))
        for page in pages:
            seen = Tags(page)
            assert seen.tags <= {"div", "p", "span", "b", "bdi", "section", "h3"}
            assert seen.attributes <= {"class", "style", "tabindex", "role", "aria-label", "dir"}
            assert SCRIPT in seen.words and "{{7*7}}" in seen.words
    for words in (judged.terms.consent, judged.terms.instructions, judged.terms.question):
        _no_marks(markdown(words), "<>[]`$")


def test_reports_show_texts_as_texts(judged):
    page = Tags(export.to_html(judged.report))
    assert not page.tags & {"script", "img", "a", "iframe", "object", "link"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert SCRIPT in page.words
    plain = to_markdown(judged.report)
    assert "script" in plain
    _no_marks(plain.replace(f"`{judged.report.facts.frozen_hash}`", ""), "<>[]`")
    for table in re.findall(r"(?:^\|.*\n)+", plain, flags=re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table[:300]
    assert "<script" not in to_latex(judged.report)
    assert json.loads(json.dumps(judged.report.to_dict()))["facts"]["planned"] == HOSTILE


def _no_marks(text: str, marks: str) -> None:
    """None of `marks` stands in Markdown without a backslash of its own."""
    bare = re.sub(r"\\.", "", text, flags=re.S)
    assert [mark for mark in marks if mark in bare] == []
