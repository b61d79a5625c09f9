"""The judge's page and who may open what: sessions of judges, strangers and owners."""

from __future__ import annotations

import pytest
from helpers import judge_sessions as judging_study
from helpers.pages import ROOT, open_page, shown

from capo_core.dashboard.app import access, binding
from capo_core.dashboard.app import main as app_main
from capo_core.dashboard.judging import text, trial_html
from capo_core.errors import ConfigError, DataError
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import CardView, TextView, TrialView
from capo_core.study.owner.access import SignInSettings
from capo_core.study.store import Busy

ONE_KIND = {"kinds": ("attribution",), "trials": 3, "judges": 1}


@pytest.fixture
def judging(workspace, monkeypatch):
    """Makes the study; a database of its own for each test."""
    monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    monkeypatch.delenv("CAPO_OWNER_PASSWORD", raising=False)
    made = []

    def make(**shape):
        made.append(judging_study.put(workspace, **{**ONE_KIND, **shape}))
        return made[-1]

    yield make
    for each in made:
        each.service.engine.dispose()


def enter(study, number=0):
    """A judge's tab, by the link."""
    app = open_page("judge", t=study.invited[number].token)
    assert not app.exception
    return app


def buttons(app, start):
    return [one for one in app.button if one.key and one.key.startswith(start)]


def press(app, start, place=0):
    buttons(app, start)[place].click().run()
    assert not app.exception
    return app


def begin(study, number=0):
    """A tab in which consent was given and what is asked was read."""
    return press(press(enter(study, number), "judge-agree"), "briefed")


def answer(app, place=0):
    """Answer what is shown with the answer at this place; and read what practice teaches."""
    if buttons(app, "briefed"):
        press(app, "briefed")
    press(app, "answer-", place)
    if buttons(app, "sure-"):
        press(app, "sure-", 2)
    press(app, "save-")
    return press(app, "learned-") if buttons(app, "learned-") else app


def trial_on_screen(app):
    return buttons(app, "save-")[0].key


def test_from_consent_to_the_code_every_answer_is_on_disk_once(judging):
    study = judging(kinds=("attribution", "comparison", "reasoning"), ask_reason=True)
    app = enter(study)
    assert app.title[0].value == "Reading explanations" and not app.selectbox and not app.sidebar
    assert not buttons(app, "answer-"), "nothing is shown before consent"
    press(app, "judge-agree")
    assert "practice trials, which do not count" in shown(app)
    clicked = {}
    while not app.code:
        if buttons(app, "briefed"):
            press(app, "briefed")
        trial = trial_on_screen(app).removeprefix("save-")
        assert trial not in clicked, "no trial is asked twice"
        if app.text_area:
            app.text_area[0].set_value(f"because of {len(clicked)}").run()
        clicked[trial] = f"because of {len(clicked)}"
        answer(app, len(clicked) % 3)
    assert "You are done" in app.title[0].value and len(app.code[0].value) == 8
    kept = study.answers().set_index("trial_id")
    assert kept["reason"].to_dict() == clicked and kept["changes"].sum() == 0
    sure = kept["confidence"].groupby(kept["kind"]).agg(set).to_dict()
    assert sure == {"attribution": {"3"}, "comparison": {""}, "reasoning": {""}}


def test_practice_says_what_would_have_been_right_and_counts_for_nothing(judging):
    study = judging()
    app = begin(study)
    assert "Practice 1 of 1" in shown(app)
    press(press(press(app, "answer-", 4), "save-"), "learned-")  # cannot tell needs no more words
    assert "0 of 3 answered" in shown(app)
    said = study.answers()
    assert said[["purpose", "answer"]].values.tolist() == [["practice", "cannot_tell"]]


def test_after_a_refresh_practice_still_says_what_would_have_been_right(judging):
    study = judging(practice=2)
    app = begin(study)
    told = {}
    for number in (1, 2):
        trial = trial_on_screen(app).removeprefix("save-")
        press(press(app, "answer-", 4), "save-")
        told[trial] = next(each.value for each in app.info)
        for again in (enter(study), enter(study)):  # a tab of its own each, with nothing kept
            assert again.info[0].value == told[trial] and not buttons(again, "save-")
            assert f"Practice {number} of 2" in shown(again)
        app = press(again, "learned-")
        if buttons(app, "briefed"):
            press(app, "briefed")
        assert not buttons(app, "learned-")
    assert len(told) == 2 and "0 of 3 answered" in shown(app)
    assert not enter(study).info, "who went on is not told again"
    assert sorted(study.answers()["trial_id"]) == sorted(told), "and no trial was asked twice"


def test_a_pause_while_practice_explains_ends_where_it_began(judging):
    study = judging()
    app = begin(study)
    press(press(app, "answer-", 4), "save-")
    assert "Paused" in press(app, "pause-").title[0].value
    assert buttons(press(app, "judge-resume"), "learned-")


def test_it_is_saved_only_with_how_sure_one_is(judging):
    study = judging()
    app = begin(study)
    trial = trial_on_screen(app)
    press(app, "save-")
    assert trial_on_screen(app) == trial and "Click an answer" in shown(app)
    press(press(app, "answer-", 1), "save-")
    assert trial_on_screen(app) == trial and "Choose how sure" in shown(app)
    press(press(app, "sure-", 0), "save-")
    assert buttons(app, "learned-") and len(study.answers()) == 1


def test_keys_pressed_together_are_taken_in_their_right_order(judging):
    study = judging()
    app = press(press(answer(begin(study)), "answer-", 0), "sure-", 0)
    for start, place in (("answer-", 1), ("sure-", 3), ("save-", 0)):
        buttons(app, start)[place].click()
    app.run()
    assert "1 of 3 answered" in shown(app)
    letter_b = judging_study.cards_of(study, "J01")[1]
    said = study.answers().query("purpose != 'practice'")[["answer", "confidence"]]
    assert said.values.tolist() == [[letter_b, "4"]]


def test_the_same_trial_after_a_refresh_and_what_was_saved_is_not_asked_again(judging):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)
    assert trial_on_screen(enter(study)) == trial
    answer(app)
    later = enter(study)
    assert trial_on_screen(later) == trial_on_screen(app) != trial
    assert "1 of 3 answered" in shown(later)


def test_two_tabs_one_answer(judging):
    study = judging()
    first = answer(begin(study))
    second = press(press(enter(study), "answer-", 1), "sure-", 3)
    trial = trial_on_screen(first)
    assert trial_on_screen(second) == trial
    answer(first, 0)
    press(second, "save-")
    assert "has another answer already" in shown(second)
    assert trial_on_screen(second) == trial_on_screen(first) != trial
    third = enter(study)
    answer(first, 2), answer(third, 2)  # the same answer twice is one answer
    assert "2 of 3 answered" in shown(third)
    assert len(study.answers()) == 1 + 2


def test_the_last_answer_is_taken_back_and_stands_in_the_history(judging):
    study = judging()
    app = answer(begin(study))
    assert buttons(app, "undo")[0].disabled, "practice is not taken back"
    trial = trial_on_screen(app)
    answer(app, 1)
    press(app, "undo")
    assert trial_on_screen(app) == trial and buttons(app, "undo")[0].disabled
    chosen = [one.key for one in app.button if one.proto.type == "primary"]
    assert [key.split("-")[1] for key in chosen] == ["B", "3", trial.split("-")[1]]
    answer(app, 2)
    history = study.answers(), study.service.export_history(judging_study.STUDY)
    assert history[0]["changes"].sum() == 1 and len(history[1]) == len(history[0]) + 1


def test_pause_and_return_by_the_same_link(judging):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)
    press(app, "pause")
    assert "Paused" in app.title[0].value
    elsewhere = enter(study)
    assert "0 of 3 answered. Everything is saved" in shown(elsewhere)
    press(elsewhere, "judge-resume")
    assert trial_on_screen(elsewhere) == trial


def test_where_the_database_is_busy_the_choice_stays_and_is_saved_later(judging, monkeypatch):
    study = judging()
    app = press(press(answer(begin(study)), "answer-", 1), "sure-", 1)
    trial = trial_on_screen(app)

    def busy(*args, **kwargs):
        raise Busy("the database did not answer", where="/home/owner/studies.sqlite")

    with monkeypatch.context() as broken:
        broken.setattr(JudgeDesk, "answer", busy)
        press(app, "save-")
    assert "Nothing is lost" in shown(app) and "/home" not in shown(app)
    assert trial_on_screen(app) == trial
    press(app, "save-")
    assert trial_on_screen(app) != trial


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda study: study.service.revoke(study.invited[0].judge_id), "was withdrawn"),
        (lambda study: study.service.new_link(study.invited[0].judge_id), "was withdrawn"),
    ],
)
def test_a_link_that_ended_says_so_at_once_also_in_an_open_tab(judging, spoil, words):
    study = judging()
    app = answer(begin(study))
    spoil(study)
    answer(app)
    for tab in (app, enter(study)):
        assert words in shown(tab) and "ask the person who invited you" in shown(tab).lower()
        assert not buttons(tab, "answer-")


def test_a_forged_link_and_one_whose_time_is_over(judging):
    study = judging()
    app = open_page("judge", t="A" * 22)
    assert "not known here" in shown(app) and not app.button
    short = study.service.new_link(study.invited[0].judge_id, days=1e-9)
    assert "link has expired" in shown(open_page("judge", t=short.token))


def test_a_closed_study_thanks(judging):
    study = judging()
    app = answer(answer(begin(study)))
    study.service.close(judging_study.STUDY)
    answer(app)
    for tab in (app, enter(study)):
        assert "closed" in tab.title[0].value and "1 answer saved" in shown(tab)


def test_who_finds_all_taken_is_told_to_look_again(judging):
    study = judging()
    (reserve,) = study.service.invite(judging_study.STUDY)
    answer(begin(study))
    app = press(open_page("judge", t=reserve.token), "judge-agree")
    while not app.title or "nothing to judge" not in app.title[0].value:
        answer(app)
    assert "return later" in shown(app)


@pytest.fixture
def registered(monkeypatch):
    """Addresses of the pages that were registered last."""
    found = []
    real = app_main.st.navigation

    def navigation(pages, **settings):
        found[:] = [page.url_path for page in pages]
        return real(pages, **settings)

    monkeypatch.setattr(app_main.st, "navigation", navigation)
    return found


def test_a_judge_has_the_judges_page_and_nothing_else(judging, registered):
    study = judging()
    enter(study)
    assert registered == ["", "judge"]
    app = open_page("annotators", t=study.invited[0].token)
    assert "not part of judging" in app.title[0].value and not app.button and not app.sidebar


def test_a_stranger_has_the_door_and_the_owner_comes_in_by_the_password(
    workspace, registered, monkeypatch
):
    monkeypatch.setenv("CAPO_OWNER_PASSWORD", "a horse on the stairs")
    app = open_page("data")
    assert registered == [""] and app.title[0].value.startswith("This page is for the study team")
    app.text_input[0].set_value("another horse")
    app.button[0].click().run()
    assert "Wrong password" in shown(app) and registered == [""]
    app.text_input[0].set_value("a horse on the stairs")
    app.button[0].click().run()
    assert "data" in registered and not app.exception
    assert "judge" not in registered, "owners have no judge's page of their own"


def test_wrong_passwords_end(workspace, monkeypatch):
    monkeypatch.setenv("CAPO_OWNER_PASSWORD", "a horse on the stairs")
    monkeypatch.setattr("capo_core.study.store.rate_limits.TRIES", 1)
    monkeypatch.setattr(access, "caller", lambda: "a visitor")  # a test has no address
    app = open_page("data")
    for given in ("another horse", "a horse on the stairs"):
        app.text_input[0].set_value(given)
        app.button[0].click().run()
    assert "too many wrong" in shown(app).lower()


def test_listening_to_others_without_a_password_is_refused(workspace, monkeypatch):
    monkeypatch.setattr(access, "sign_in_ways", lambda address=None: SignInSettings("0.0.0.0"))
    app = open_page("data")
    assert "CAPO\\_OWNER\\_PASSWORD" in shown(app) and not app.selectbox


@pytest.mark.parametrize(("address", "ends"), [("0.0.0.0", 2), ("", 2), ("127.0.0.1", 0)])
def test_the_binding_is_asked_for_before_the_server_starts(monkeypatch, capsys, address, ends):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("CAPO_OWNER_PASSWORD", raising=False)
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", address)
    assert binding.main() == ends
    assert ("CAPO_OWNER_PASSWORD" in capsys.readouterr().err) == (ends == 2)


def test_texts_are_escaped_and_nothing_names_them():
    bad = TextView("<script>a()</script>", '"><img onerror=b()>', "<b>", "</p><iframe>")
    view = TrialView("T1", "comparison", False, (CardView("", (bad,)),), (bad, bad), None, (), None,
                     None, None)  # fmt: skip
    terms = Terms(role_a="<i>", role_b="<u>")
    html = trial_html.texts_html(view, terms)
    html += trial_html.cards_html((CardView("A", (bad,)), CardView("B", (bad,))), terms)
    for tag in ("<script", "<img", "<iframe", "<i>", "<u>", 'b">'):
        assert tag not in html
    assert "&lt;script&gt;" in html and "T1" not in html


def test_errors_reach_judges_without_places():
    error = DataError("the file of the studies cannot be used", where="/home/owner/x.sqlite")
    assert text.error_text(error) == text.UNAVAILABLE
    said = text.error_text(ConfigError("the password in it", where="somewhere"))
    assert said == text.UNAVAILABLE


def test_keys_are_apart_and_none_is_streamlits_own():
    for answers in (
        (*"ABCDEFGHIJKL", "cannot_tell"), ("left", "right", "tie"), ("1", "2", "3", "4", "5")
    ):  # fmt: skip
        kind = (
            "reasoning" if "5" in answers else "comparison" if "tie" in answers else "attribution"
        )
        view = TrialView("T", kind, False, (), (), None, answers, None, None, None)
        keys = [text.answer_key(view, each) for each in answers]
        keys = [key for key in keys if key] + [key for _, key in text.CONFIDENCE.values()]
        keys += [text.SAVE_KEY, text.UNDO_KEY, text.PAUSE_KEY]
        assert len(keys) == len(set(keys)) and not {"C", "R"} & set(keys)
