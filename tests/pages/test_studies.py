"""The page Studies: every state of a study, and what each lets one see and do."""

from __future__ import annotations

import html
import re
import shlex
import time
from types import SimpleNamespace

import pytest
import streamlit as st
from helpers import pages
from helpers import study_steps as steps
from helpers.links import keys_of, says_it_is_not_here
from helpers.pages import labels, make, open_page, shown
from typer.testing import CliRunner

from capo_core import cli
from capo_core.dashboard.studies import background, results
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.pairs import files
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze

NASTY = "<script>alert(1)</script> <img src=x onerror=alert(1)> $x^2$ [a](http://b) {}"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A page in a test is run once: it waits for what is computed beside it."""
    monkeypatch.setattr(background, "PATIENCE_S", 200)


@pytest.fixture(scope="module")
def dataset():
    return make("mine", items=120)


def fine(app) -> str:
    return html.unescape(pages.fine(app))


def one(part: str = "", **query):
    asked = {"part": part} if part else {}
    return open_page("studies", dataset="mine", view="study", study=steps.NAME, **asked, **query)


def refused(app) -> str:
    """The errors that the page shows, without the marks that keep data from being Markdown."""
    assert not app.exception, [one.value for one in app.exception]
    assert app.error
    return " ".join(each.value for each in app.error).replace("\\", "")


def parts(app) -> list[str]:
    return next(group.options for group in app.button_group if group.key == "studies.part.widget")


# Nothing yet


def test_a_newcomer_is_told_what_to_do_and_led_to_the_form(workspace):
    app = open_page("studies", dataset="demo-nli")
    assert "No studies yet" in fine(app)
    app.button(key="studies.first").click().run()
    assert app.query_params["view"] == "new"
    assert not (workspace.root / "studies.sqlite").exists()  # looking makes nothing


def test_without_a_study_the_view_of_one_says_so(workspace):
    assert "No studies yet" in fine(open_page("studies", dataset="demo-nli", view="study"))


# The form and the planner


def test_the_form_draws_plans_and_keeps_a_draft(workspace, add, dataset):
    add(dataset)
    app = open_page("studies", dataset="mine", view="new")
    app.number_input(key="studies.form.trials_per_judge").set_value(4).run()
    said = fine(app)
    assert "Power analysis" in said and "different from chance" in said
    assert len(app.get("plotly_chart")) == 1
    app.text_input(key="studies.form.name").set_value("mine-first").run()
    app.number_input(key="studies.form.judges").set_value(3).run()
    fine(app)
    # Another visit finds the form as it was left.
    again = open_page("studies", dataset="mine", view="new")
    assert again.number_input(key="studies.form.judges").value == 3
    assert design_draft.names(workspace) == []
    again.button(key="studies.draw").click().run()
    assert design_draft.names(workspace) == ["mine-first"]
    assert design_draft.load(workspace, "mine-first").config.judges == 3
    assert again.query_params["study"] == "mine-first"
    assert "Trial preview" in fine(again)


def test_what_is_typed_just_before_the_click_is_not_left_out_of_the_draft(workspace, add, dataset):
    """Finding: the contact was typed, "Create draft" was clicked, and the draft had none."""
    add(dataset)
    app = open_page("studies", dataset="mine", view="new")
    app.number_input(key="studies.form.trials_per_judge").set_value(4).run()
    fine(app)
    app.text_input(key="studies.form.contact").set_value("ethics@lab.example")
    app.button(key="studies.draw").click().run()
    assert "form changed just now" in shown(app)
    assert design_draft.names(workspace) == []
    app.button(key="studies.draw").click().run()
    fine(app)
    (name,) = design_draft.names(workspace)
    assert design_draft.load(workspace, name).config.contact == "ethics@lab.example"


def test_power_of_a_draft_is_by_the_assumptions_it_was_drawn_by(workspace, add, dataset):
    from capo_core.dashboard.studies import study_form

    add(dataset)
    app = open_page("studies", dataset="mine", view="new")
    app.number_input(key="studies.form.trials_per_judge").set_value(4)
    app.number_input(key="studies.form.judge_sd").set_value(1.5).run()
    app.button(key="studies.draw").click().run()
    fine(app)
    (name,) = design_draft.names(workspace)
    assert design_draft.assumed_of(workspace, name)["judge_sd"] == 1.5
    own = study_form.plans_of(workspace, name)
    form = study_form.load(workspace, "mine")
    study_form.keep(workspace, {**form, "judge_sd": 0.1, "expected": 0.9})  # of the next study
    assert study_form.plans_of(workspace, name) == own
    # A draft of an earlier build, or of the command line, has none of its own.
    (design_draft.folder_of(workspace, name) / design_draft.ASSUMED).unlink()
    assert study_form.plans_of(workspace, name) != own


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"judges": 4}, "multiple of"),
        ({"trials_per_judge": 1000}, "at most"),
        ({"trials_per_judge": 60, "kinds": ["comparison"]}, "the items do not suffice"),
        ({"people": ["human"]}, "needs 2 sources"),
        ({"people": []}, "no source"),
        ({"kinds": []}, "kinds"),
        ({"name": "  "}, "no name"),
        ({"runs": ["gone"], "people": ["human"]}, "gone"),
        ({"targets": ["nobody"]}, "nobody"),
        ({"expected": 7}, "above 0"),
    ],
)
def test_designs_that_do_not_fit_are_refused_with_what_would(workspace, add, dataset, changes,
                                                             said):  # fmt: skip
    from capo_core.dashboard.studies import study_form
    from capo_core.data.catalog import Catalog

    add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "refused")
    study_form.keep(workspace, {**form, "trials_per_judge": 4, **changes})
    app = open_page("studies", dataset="mine", view="new")
    assert said in refused(app)
    assert ("Create draft" in labels(app)) == ("expected" in changes)


def test_finished_runs_become_sources_and_a_design_can_be_taken_up_again(workspace, add, dataset):
    add(dataset)
    backend = FakeBackend()
    settings = GenerateConfig(method="icl", examples=2)
    asked = generation_run_config(dataset, dataset.annotators, settings, backend, {}, {})
    folder = generation_folder(workspace, asked)
    generate(dataset, dataset.annotators, settings, backend, folder)
    app = open_page("studies", dataset="mine", view="new")
    app.number_input(key="studies.form.trials_per_judge").set_value(6).run()
    runs = app.multiselect(key="studies.form.runs")
    assert [option.partition(" for ")[0] for option in runs.options] == ["In-context learning"]
    # A new form begins with the method that has been run, beside the target's own texts.
    assert runs.value == [folder.run_id]
    assert app.selectbox(key="studies.form.pair.0").value == "icl"
    assert app.selectbox(key="studies.form.pair.1").value == "human"
    assert "Sources by these runs: In-context learning (1)" in fine(app)
    app.button(key="studies.draw").click().run()
    (name,) = design_draft.names(workspace)
    assert design_draft.load(workspace, name).config.methods == {"icl": (folder.run_id,)}
    # A form that is half filled in is kept where another takes its place.
    other = open_page("studies", dataset="mine", view="new")
    other.text_input(key="studies.form.contact").set_value("half@lab.example").run()
    app.button(key="studies.again").click().run()
    fine(app)
    assert app.multiselect(key="studies.form.runs").value == [folder.run_id]
    assert app.text_input(key="studies.form.name").value not in design_draft.names(workspace)
    assert app.text_input(key="studies.form.contact").value == ""
    app.button(key="studies.form.former").click().run()
    fine(app)
    assert app.text_input(key="studies.form.contact").value == "half@lab.example"


# A draft


def test_a_draft_shows_balance_and_a_trial_as_judges_see_it(workspace, dataset):
    steps.put_draft(workspace, dataset)
    app = one()
    said = fine(app)
    assert parts(app) == ["Design", "Leaks", "Try it", "Freeze"]
    balance = next(f.value for f in app.dataframe if "words" in f.value.columns)
    assert balance.set_index("what").loc["Main: trials of a judge", "most"] == 6
    assert "<h4>Who wrote this explanation?</h4>" in said
    assert "Power analysis" in said and "attribution: power" in said.lower()
    assert re.search("(take|reach|judges?, who).*power|power takes", said)
    draft = design_draft.load(workspace, steps.NAME)
    for place in range(1, 4):
        drawn = one(slot="J01", place=str(place))
        body = [each.proto.body for each in drawn.get("html") if 'capo-trial"' in each.proto.body]
        assert len(body) == 1
        # Nothing of where the texts come from, nor who wrote them.
        for secret in (*draft.texts["text_id"], *draft.trials["trial_id"], "human", "annotator"):
            assert secret not in body[0]


def test_leaks_are_listed_with_their_texts_and_left_out_by_a_new_drawing(workspace, dataset):
    telling = dataset.annotations.assign(
        explanation=[
            f"As an AI language model, {text}" if k % 7 == 0 else text
            for k, text in enumerate(dataset.annotations["explanation"])
        ]
    )
    from dataclasses import replace

    steps.put_draft(workspace, replace(dataset, annotations=telling))
    app = one("leaks")
    assert "could reveal their source" in fine(app)
    texts = next(f.value for f in app.dataframe if "source" in f.value.columns)
    assert texts["text"].str.contains("As an AI").any()
    app.button(key="studies.leaveout.boilerplate").click().run()
    said = fine(app)
    assert "Replace draft of this name" in labels(app), said
    app.button(key="studies.draw").click().run()
    config = design_draft.load(workspace, steps.NAME).config
    assert config.leave_out == ("boilerplate",)
    found = design_draft.load(workspace, steps.NAME).texts
    assert not found["explanation"].str.contains("As an AI").any()


def test_leaks_must_be_accepted_before_a_draft_is_frozen(workspace, dataset):
    steps.put_draft(workspace, dataset)
    app = one("freeze")
    said = fine(app)
    for part in ("To be frozen", "Contrast", "Equivalence margin", "Power, comparison",
                 "open points", "No owner password is set"):  # fmt: skip
        assert part in said
    button = app.button(key="studies.freeze")
    boxes = [box for box in app.checkbox if box.key == f"studies.accept.{steps.NAME}"]
    assert button.disabled == bool(boxes)
    if boxes:
        boxes[0].check().run()
    app.button(key="studies.freeze").click().run()
    assert freeze.is_frozen(workspace, steps.NAME)
    assert parts(app) == ["Judges", "Design", "Try it", "Audit log"]


def test_what_another_tab_drew_anew_is_not_frozen_unseen(workspace, dataset):
    steps.put_draft(workspace, dataset)
    app = one("freeze")
    for box in app.checkbox:
        box.check().run()
    other = steps.draw_from(workspace, dataset, steps.config("mine", seed=7))
    design_draft.create(workspace, other, replace=True)
    app.button(key="studies.freeze").click().run()
    assert not app.exception
    assert not freeze.is_frozen(workspace, steps.NAME)
    assert "was changed since this page was opened" in shown(app)


def test_made_up_judges_try_a_design_and_are_called_so(workspace, dataset):
    steps.put_draft(workspace, dataset)
    app = one("try")
    assert "No real judgments" in fine(app) and not app.get("plotly_chart")
    app.button(key="studies.try").click().run()
    said = fine(app)
    assert "Simulated judges: Judges attributed texts correctly" in said
    assert len(app.get("plotly_chart")) >= 4
    # The same address shows the same made-up answers.
    assert [s for s in fine(one("try", **{"try": "1"})).splitlines() if "Made-up judges:" in s] == [
        s for s in said.splitlines() if "Made-up judges:" in s
    ]


# Judges


def test_links_are_shown_once_and_work(workspace, dataset):
    steps.put_frozen(workspace, dataset)
    app = one()
    app.number_input(key="studies.invite.many").set_value(2)
    app.text_input(key="studies.invite.base").set_value("http://lab.example:1/")
    app.button(key="studies.invite.0").click().run()
    said = fine(app)
    urls = [code.value for code in app.code if "judge?t=" in code.value]
    assert len(urls) == 2 and all(url.startswith("http://lab.example:1/judge?t=") for url in urls)
    assert "shown once" in said and app.number_input(key="studies.invite.many").value == 1
    tokens = [url.partition("t=")[2] for url in urls]
    assert not any(token in str(app.query_params) for token in tokens)
    assert steps.answer_all(workspace, tokens[:1], most=2) == 2
    app.button(key="studies.links.done").click().run()
    assert not [code for code in app.code if "judge?t=" in code.value]
    assert not [code for code in one().code if "judge?t=" in code.value]


def test_a_form_drawn_before_others_were_invited_invites_nobody(workspace, dataset):
    """Finding: Enter and a quick click asked for two judges and got four."""
    steps.put_frozen(workspace, dataset)
    app = one()
    app.text_input(key="studies.invite.base").set_value("https://lab.example")
    app.number_input(key="studies.invite.many").set_value(2)
    owner = steps.service(workspace)
    owner.take_in(workspace, steps.NAME)
    made = owner.invite(steps.NAME, 2)
    app.button(key="studies.invite.0").click().run()
    assert "this click invited nobody" in shown(app)
    assert len(owner.status(steps.NAME).judges) == len(made)
    app.button(key="studies.invite.2").click().run()
    assert "this click invited nobody" not in shown(app)
    assert len(owner.status(steps.NAME).judges) == 2 * len(made)


def test_a_running_study_shows_counts_and_nothing_of_answers(workspace, dataset):
    tokens = steps.put_running(workspace, dataset)
    assert steps.answer_all(workspace, tokens[:1], most=4) == 4
    app = one()
    said = fine(app)
    assert parts(app) == ["Judges", "Design", "Audit log"]
    assert "0 of 2 judges done" in said
    judges = next(f.value for f in app.dataframe if "places" in f.value.columns)
    assert sorted(judges["done"])[0] == 0 and judges["done"].sum() > 0
    # Notes and ids of participants have a column where there are some.
    assert set(judges.columns) == {
        "number", "state", "done", "places", "extra", "seen", "expires", "note", "judge",
    }  # fmt: skip
    # Neither by the address: parts of other stages are not on offer.
    for part in ("results", "export", "try", "leaks"):
        other = one(part, behind="quality")
        assert not other.get("plotly_chart") and "preferred" not in fine(other)
    log = next(f.value for f in one("audit").dataframe)
    assert set(log["event"]) >= {"create", "invite", "answer"}
    assert not any('answer":' in details for details in log["details"])


def links_shown(app) -> list[str]:
    return [code.value for code in app.code if "judge?t=" in code.value]


def test_a_link_that_was_replaced_is_not_shown_beside_the_one_that_works(workspace, dataset):
    """Finding: "Make the link" twice showed two rows "open link", the first of which was over."""
    steps.put_running(workspace, dataset, judges=1)
    app = one()
    app.text_input(key="studies.invite.base").set_value("https://lab.example")
    for made in range(2):
        app.button(key=f"studies.open.{made}").click().run()
        fine(app)
    (open_link,) = links_shown(app)
    app.button(key="studies.judge.link").click().run()
    first = [url for url in links_shown(app) if url != open_link]
    app.button(key="studies.judge.link").click().run()
    fine(app)
    assert len(first) == 1 and len(links_shown(app)) == 2
    assert first[0] not in links_shown(app) and open_link in links_shown(app)


def test_enter_and_a_click_make_one_link_for_participants(workspace, dataset):
    steps.put_frozen(workspace, dataset)
    app = one()
    app.text_input(key="studies.invite.base").set_value("https://lab.example")
    owner = steps.service(workspace)
    owner.take_in(workspace, steps.NAME)
    owner.open_link(steps.NAME, 2)  # the first message, of which this tab knows nothing yet
    app.button(key="studies.open.0").click().run()
    assert "this click made none" in shown(app) and not links_shown(app)
    assert owner.status(steps.NAME).open_links == 1


def test_the_list_of_participants_is_noted_when_it_is_downloaded_not_when_it_is_seen(
    workspace, dataset, monkeypatch
):
    """Finding: every look at the page after "Prepare" was an export in the audit log."""
    steps.put_running(workspace, dataset)
    made = {}
    real = st.download_button
    monkeypatch.setattr(
        st, "download_button",
        lambda label, data, *args, **more: made.update({label: data})
        or real(label, data, *args, **more),
    )  # fmt: skip
    app = one()
    before = list(steps.service(workspace).audit_log(steps.NAME)["event"]).count("export")
    for _ in range(3):
        app.run()
    exports = list(steps.service(workspace).audit_log(steps.NAME)["event"]).count("export")
    assert exports == before
    text = made["Participants (CSV)"]().decode()
    assert "completion_code" in text and "prepare" not in str(labels(app)).lower()
    exports = list(steps.service(workspace).audit_log(steps.NAME)["event"]).count("export")
    assert exports == before + 1


def test_judges_at_this_computer_are_not_invited_without_a_password(
    workspace, dataset, monkeypatch
):
    """Finding: a judge on this computer types "/" and is on the owner's pages."""
    steps.put_frozen(workspace, dataset)
    monkeypatch.delenv("CAPO_OWNER_PASSWORD", raising=False)
    app = one()
    assert any("No owner password is set" in each.value for each in app.warning)
    app.button(key="studies.invite.0").click().run()
    assert "no owner password is set" in shown(app)
    assert not any("judge?t=" in code.value for code in app.code)
    app.text_input(key="studies.invite.base").set_value("https://lab.example")
    app.button(key="studies.invite.0").click().run()
    assert any("https://lab.example/judge?t=" in code.value for code in app.code)


def test_with_a_password_judges_are_invited_to_any_address(workspace, dataset, monkeypatch):
    steps.put_frozen(workspace, dataset)
    monkeypatch.setenv("CAPO_OWNER_PASSWORD", "a horse on the stairs")
    app = one()
    app.text_input[0].set_value("a horse on the stairs")
    app.button[0].click().run()
    assert "Invite judges" in fine(app) and not app.warning
    app.button(key="studies.invite.0").click().run()
    assert any("localhost" in code.value and "/judge?t=" in code.value for code in app.code)


def test_a_judge_gets_a_new_link_or_is_revoked(workspace, dataset):
    (token, _) = steps.put_running(workspace, dataset)
    app = one()
    app.button(key="studies.judge.link").click().run()
    assert "no owner password is set" in shown(app)
    app.text_input(key="studies.invite.base").set_value("https://lab.example").run()
    app.button(key="studies.judge.link").click().run()
    fine(app)
    (url,) = [code.value for code in app.code if "judge?t=" in code.value]
    assert token not in url
    app.button(key="studies.judge.revoke").click().run()
    states = [judge.state for judge in steps.service(workspace).status(steps.NAME).judges]
    assert states.count("revoked") == 1
    assert "Revoked; existing answers are kept" in fine(app)


def test_closing_and_unblinding_come_one_after_the_other(workspace, dataset):
    steps.answer_all(workspace, steps.put_running(workspace, dataset))
    app = one()
    assert "Unblind permanently" not in labels(app)
    app.button(key="studies.close").click().run()
    said = fine(app)
    assert "sources are sealed" in said and not app.get("plotly_chart")
    assert parts(app) == ["Judges", "Design", "Audit log"]
    app.button(key="studies.unblind").click().run()
    assert "Judges attributed texts correctly for the target's own texts" in fine(app)
    assert parts(app)[0] == "Results"


def test_another_tab_that_still_shows_a_closed_study_closes_nothing_twice(workspace, dataset):
    steps.put_running(workspace, dataset)
    app = one()
    steps.service(workspace).close(steps.NAME)
    app.button(key="studies.close").click().run()
    assert "sources are sealed" in fine(app)
    log = steps.service(workspace).audit_log(steps.NAME)
    assert list(log["event"]).count("close") == 1


# Results


@pytest.fixture
def unblinded(workspace, dataset):
    steps.put_closed(workspace, dataset, unblinded=True)
    return workspace


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ("agreement", "Krippendorff's alpha"),
        ("judges", "All judges together"),
        ("quality", "No judge is excluded: raw"),
        ("numbers", ""),
        ("methods", "Design, texts and planned analysis were frozen"),
    ],
)
def test_results_stand_with_interval_and_what_lies_behind_them(
    unblinded, behind, said, monkeypatch
):
    app = one("results", behind=behind)
    told = fine(app)
    assert said in told and "No judge and no judgment is excluded" in told
    table = next(f.value for f in app.dataframe if "chance" in f.value.columns)
    assert {"value", "n", "chance"} <= set(table.columns)  # a value with its interval
    assert table["chance"].iloc[0] == pytest.approx(1 / 3)
    if behind == "quality":
        judges = next(f.value for f in app.dataframe if "said" in f.value.columns)
        assert judges["said"].str.contains("too few|cannot tell|\\[").all()
        told = fine(one("results", behind="quality", crowd="mace"))
        assert "MACE (Hovy et al. 2013)" in told and "beside the planned analysis" in told
        monkeypatch.setattr(results, "missing_package", lambda: "They need crowd-kit.")
        assert "They need crowd-kit." in fine(one("results", behind="quality", crowd="mace"))


def test_what_is_believed_beforehand_can_be_wrong_and_is_then_refused(unblinded):
    app = one("results", behind="quality", mu="human:capo=0.8")
    assert "never compared" in refused(app)
    assert "human:sft=0.8" in refused(one("results", mu="nonsense"))


def test_trials_count_what_is_filtered_and_show_the_cards(unblinded):
    said = fine(one("trials", kind="comparison"))
    assert re.search(r"\d+ of \d+ trials, with \d+ judgments\.", said)
    every = one("trials")
    assert re.search(r"\d+ trials \(\d+ main.*with \d+ judgments", fine(every))
    assert any("as judges saw" in each.label for each in every.expander)


def test_exports_are_offered_and_noted(unblinded):
    app = one("export")  # by default three votes, here are fewer
    assert "0 pairs from " in fine(app)
    most = design_draft.config_of(unblinded, steps.NAME).judgments_per_trial
    app.button(key="studies.pairs.fewer").click().run()
    fine(app)
    assert app.number_input(key="studies.votes.widget").value == most
    app = one("export", votes="1")
    said = fine(app)
    assert "Preference pairs" in said and "must not be evaluated on it" in said
    names = {button.proto.label for button in app.get("download_button")}
    assert {"Report (self-contained HTML)", "Report (Markdown)", "Judgments (CSV)",
            "Judgments (JSONL)"} <= names  # fmt: skip
    assert any("train capo" in code.value for code in app.code)
    before = list(steps.service(unblinded).audit_log(steps.NAME)["event"]).count("export")
    fine(one("export", votes="1"))  # reading a page many times is one reading
    assert list(steps.service(unblinded).audit_log(steps.NAME)["event"]).count("export") == before


def test_the_commands_beside_the_pairs_write_them_and_train_on_them(
    unblinded, tmp_path, monkeypatch
):
    app = one("export", rule="none")
    fine(app)
    (shown_code,) = [code.value for code in app.code if "export-pairs" in code.value]
    write, train = (shlex.split(line)[3:] for line in shown_code.splitlines())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, write)
    assert done.exit_code == 0, done.output
    written = files.read_preferences(tmp_path / train[-1])
    assert f"{len(written.rows)} pair" in fine(app)
    targets = train[train.index("--annotator") + 1 : train.index("--preferences")]
    assert targets and {row.target for row in written.rows} == set(targets)
    begun = []

    def run_training(request, *args, **settings):
        begun.append(request)
        return SimpleNamespace(path=tmp_path, run_id="a-run", result={})

    monkeypatch.setattr("capo_core.runs.kinds.training.run_training", run_training)
    done = CliRunner().invoke(cli.app, [*train, "--json"])
    assert done.exit_code == 0, done.output
    assert [request.kind for request in begun] == ["train_sft", "train_capo"] * len(targets)
    assert [request.settings["target"] for request in begun[1::2]] == targets
    hashes = {request.settings["config"]["preferences"] for request in begun[1::2]}
    assert hashes == {written.sha256}


# What is broken, and what comes from data


@pytest.mark.parametrize("damage", ["design.json", "texts.parquet", "frozen.json"])
def test_a_broken_study_is_told_and_the_others_stay(workspace, dataset, damage):
    steps.put_frozen(workspace, dataset)
    steps.put_draft(workspace, dataset, name="whole")
    path = workspace.studies / steps.NAME / damage
    path.chmod(0o644)
    path.write_text("{")
    app = open_page("studies", dataset="mine")
    rows = next(f.value for f in app.dataframe)
    assert not app.exception and list(rows["study"]) == sorted([steps.NAME, "whole"])
    broken = one("design") if damage == "texts.parquet" else one()
    assert not broken.exception and broken.error
    if damage == "frozen.json":  # nobody can be invited to what is not provably what was frozen
        assert "frozen\\.json" in broken.error[0].value  # escaped for Markdown
        assert all(not each.key.startswith("studies.invite") for each in broken.button)


def test_a_study_whose_folder_is_gone_still_shows_its_log(workspace, dataset):
    import shutil

    steps.put_running(workspace, dataset)
    folder = workspace.studies / steps.NAME
    shutil.rmtree(folder)
    app = one()
    assert not app.exception and app.error
    assert "intact in the database" in shown(app)


def test_a_database_that_cannot_be_reached_leaves_drafts_to_work_on(workspace, dataset,
                                                                    monkeypatch):  # fmt: skip
    steps.put_draft(workspace, dataset)
    monkeypatch.setenv("CAPO_DATABASE_URL", "mysql://nowhere/at/all")
    app = one()
    assert not app.exception
    assert "names a database of the kind" in " ".join(each.value for each in app.error)
    assert "Trial preview" in shown(app)


def test_texts_from_data_are_shown_as_they_stand(workspace):
    steps.put_closed(workspace, make("mine", items=120, text=NASTY), unblinded=True)
    for part in ("results", "export", "judges", "design", "audit"):
        app = one(part)
        assert not app.exception
        bare = shown(app).replace("\\<", "")
        assert "<script" not in bare and "<img" not in bare


@pytest.mark.parametrize("key", keys_of("studies"))
def test_a_link_to_what_is_not_in_the_study_says_so(key, workspace, dataset):
    if key == "judge":
        steps.put_running(workspace, dataset)
    else:
        steps.put_closed(workspace, dataset, unblinded=True)
    named = {} if key == "study" else {"study": steps.NAME}
    says_it_is_not_here("studies", key, "mine", **named)


def test_what_does_not_fit_is_mended_by_a_button(workspace, add, dataset):
    from capo_core.dashboard.studies import study_form
    from capo_core.data.catalog import Catalog

    add(dataset)
    form = study_form.begin(Catalog(workspace).entry("mine"), "mended")
    study_form.keep(workspace, {**form, "trials_per_judge": 4, "judges": 4})
    app = open_page("studies", dataset="mine", view="new")
    (judges,) = [b for b in app.button if b.label == "Judges: 6"]
    assert "multiple of" in refused(app)
    for _ in range(40):  # drawn and simulated in the background
        if "about" in shown(app) and "Power" in shown(app):
            break
        time.sleep(0.5)
        app.run()
    assert "per judge" in shown(app) and "Power" in shown(app)
    judges.click().run()
    assert "Create draft" in labels(app) and "Power " in fine(app)
    assert app.number_input(key="studies.form.judges").value == 6
