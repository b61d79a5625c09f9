"""The judge's page and who may open what: sessions of judges, strangers and owners."""

from __future__ import annotations

import json

import pytest
from helpers import judge_sessions as judging_study
from helpers.judge_desk import desk, send
from helpers.pages import ROOT, open_page, shown

from capo_core.dashboard.app import access, binding
from capo_core.dashboard.app import main as app_main
from capo_core.dashboard.judging import desk_component, text, trial_html
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


def save(app, place=0, sure="3", **message):
    """Save the answer at this place of what is shown, with a confidence where one is asked for."""
    answer = desk(app)[1]["answers"][place]
    confidence = sure if answer["sure"] else ""
    return send(app, "answer", **{"answer": answer["value"], "confidence": confidence, **message})


def begin(study, number=0):
    """A tab in which consent was given and what is asked was read."""
    return press(press(enter(study, number), "judge-agree"), "judge-begin")


def go_on(app):
    """Leave feedback and the pages between trials behind."""
    while True:
        if desk(app) and desk(app)[1]["feedback"]:
            send(app, "continue")
        elif buttons(app, "judge-begin"):
            press(app, "judge-begin")
        elif buttons(app, "judge-start"):
            press(app, "judge-start")
        else:
            return app


def answer(app, place=0):
    """Answer what is shown with the answer at this place; and read what practice teaches."""
    return go_on(save(go_on(app), place))


def trial_on_screen(app):
    return desk(app)[1]["trial"]


def test_from_consent_to_the_code_every_answer_is_on_disk_once(judging):
    study = judging(kinds=("attribution", "comparison", "reasoning"), ask_reason=True)
    app = enter(study)
    assert app.title[0].value == "Reading explanations" and not app.selectbox and not app.sidebar
    assert not desk(app), "nothing is shown before consent"
    press(app, "judge-agree")
    assert "practice trials, which do not count" in shown(app)
    clicked, over = {}, 0
    while not app.code:
        over += bool(buttons(app, "judge-start"))
        go_on(app)
        given = desk(app)[1]
        assert given["trial"] not in clicked and given["reason"], "no trial is asked twice"
        assert "kind" not in given and "attribution" not in json.dumps(given)
        clicked[given["trial"]] = f"because of {len(clicked)}"
        layout = "stacked" if "judge-pair" in given["texts"] else ""
        save(app, len(clicked) % 3, reason=clicked[given["trial"]], layout=layout)
        if desk(app) and desk(app)[1]["feedback"]:
            send(app, "continue")
    assert over == 1, "a word between practice and the trials that count"
    assert "You are done" in app.title[0].value and len(app.code[0].value) == 8
    kept = study.answers().set_index("trial_id")
    assert kept["reason"].to_dict() == clicked and kept["changes"].sum() == 0
    sure = kept["confidence"].groupby(kept["kind"]).agg(set).to_dict()
    assert sure == {"attribution": {"3"}, "comparison": {""}, "reasoning": {""}}
    layouts = kept["displayed"].map(lambda cell: json.loads(cell).get("layout", ""))
    assert set(layouts[kept["kind"] == "comparison"]) == {"stacked"}
    assert set(layouts[kept["kind"] == "attribution"]) == {""}


def test_practice_says_what_would_have_been_right_and_counts_for_nothing(judging):
    study = judging()
    app = begin(study)
    assert "Practice 1 of 1" in shown(app)
    go_on(save(app, 4))  # cannot tell needs no more words
    assert "0 of 3 answered" in shown(app)
    said = study.answers()
    assert said[["purpose", "answer"]].values.tolist() == [["practice", "cannot_tell"]]


def test_after_a_refresh_practice_still_says_what_would_have_been_right(judging):
    study = judging(practice=2)
    app = begin(study)
    told = {}
    for number in (1, 2):
        trial = trial_on_screen(app)
        save(app, 4)
        told[trial] = desk(app)[1]["feedback"]["text"]
        assert told[trial].startswith("Your answer: Cannot tell. Correct answer:")
        for again in (enter(study), enter(study)):  # a tab of its own each, with nothing kept
            assert desk(again)[1]["feedback"]["text"] == told[trial]
            assert not desk(again)[1]["answers"] and f"Practice {number} of 2" in shown(again)
        app = go_on(again)
        assert not desk(app)[1]["feedback"]
    assert len(told) == 2 and "0 of 3 answered" in shown(app)
    assert not desk(go_on(enter(study)))[1]["feedback"], "who went on is not told again"
    assert sorted(study.answers()["trial_id"]) == sorted(told), "and no trial was asked twice"


def test_without_practice_the_instructions_of_every_kind_are_shown_once(judging):
    """Finding: the second kind's instructions were never shown."""
    study = judging(kinds=("attribution", "comparison"), practice=0)
    app = press(enter(study), "judge-agree")
    briefed = 0
    while not app.code:
        if buttons(app, "judge-begin"):
            briefed += 1
            press(app, "judge-begin")
            if briefed == 2:  # who comes back after an answer of each kind is not stopped again
                save(app)
                app = enter(study)
        else:
            save(app)
    assert briefed == 2


def test_a_pause_while_practice_explains_ends_where_it_began(judging):
    study = judging()
    app = save(begin(study), 4)
    assert "Paused" in press(app, "judge-pause").title[0].value
    assert desk(press(app, "judge-resume"))[1]["feedback"]


def test_it_is_saved_only_with_how_sure_one_is(judging):
    study = judging()
    app = begin(study)
    trial = trial_on_screen(app)
    save(app, 1, sure="")
    given = desk(app)[1]
    assert given["trial"] == trial and "how sure" in given["problem"]
    save(app, 1)
    assert desk(app)[1]["feedback"] and len(study.answers()) == 1


def test_a_message_that_comes_again_is_handled_once(judging):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)
    save(app, 1, id="again")
    following = trial_on_screen(app)
    for attempt in (1, 2):  # sent again, since the connection had dropped
        send(app, "answer", id="again", trial=trial, answer="B", confidence="3", attempt=attempt)
        assert trial_on_screen(app) == following and "1 of 3 answered" in shown(app)
        assert desk(app)[1]["handled"] == "again" and not desk(app)[1]["problem"]
    other = enter(study)  # a session that had no part in it
    send(other, "answer", id="again", trial=trial, answer="B", confidence="3")
    assert trial_on_screen(other) == following and "1 of 3 answered" in shown(other)
    late = send(enter(study), "answer", trial=trial, answer="C", confidence="1")
    assert trial_on_screen(late) == following, "another answer that comes too late changes nothing"
    letter_b = judging_study.cards_of(study, "J01")[1]
    said = study.answers().query("purpose != 'practice'")[["answer", "confidence"]]
    assert said.values.tolist() == [[letter_b, "3"]]


def test_what_is_no_message_is_none():
    good = {"id": "m", "act": "answer", "trial": "T", "answer": "A"}
    assert desk_component.message_of(good).given.answer == "A"
    for bad in (None, "x", {}, {**good, "act": "undo"}, {**good, "id": ""}, {**good, "trial": 7}):
        assert desk_component.message_of(bad) is None


def test_the_same_trial_after_a_refresh_and_what_was_saved_is_not_asked_again(judging):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)
    assert trial_on_screen(go_on(enter(study))) == trial
    answer(app)
    later = enter(study)
    assert trial_on_screen(later) == trial_on_screen(app) != trial
    assert "1 of 3 answered" in shown(later)


def test_two_tabs_one_answer(judging):
    study = judging()
    first = answer(begin(study))
    second = go_on(enter(study))
    trial = trial_on_screen(first)
    assert trial_on_screen(second) == trial
    save(first, 0)
    save(second, 1)
    assert "has another answer already" in desk(second)[1]["problem"]
    assert trial_on_screen(second) == trial_on_screen(first) != trial
    third = enter(study)
    save(first, 2), save(third, 2)  # the same answer twice is one answer
    assert "2 of 3 answered" in shown(third)
    assert len(study.answers()) == 1 + 2


def test_the_last_answer_stands_while_it_is_changed(judging):
    study = judging()
    app = answer(begin(study))
    assert buttons(app, "judge-change")[0].disabled, "practice is not changed"
    trial = trial_on_screen(app)
    save(app, 1)
    following = trial_on_screen(app)
    press(app, "judge-change")
    given = desk(app)[1]
    assert given["trial"] == trial and given["changing"]
    assert (given["given"]["answer"], given["given"]["confidence"]) == ("B", "3")
    assert buttons(app, "judge-change")[0].disabled and "1 of 3 answered" in shown(app)
    send(app, "keep")
    assert trial_on_screen(app) == following and not desk(app)[1]["changing"]
    press(app, "judge-change")
    assert trial_on_screen(enter(study)) == following, "a refresh leaves it as it is"
    save(app, 2)
    assert trial_on_screen(app) == following
    history = study.answers(), study.service.export_history(judging_study.STUDY)
    assert history[0]["changes"].sum() == 1 and len(history[1]) == len(history[0]) + 1
    letter_c = judging_study.cards_of(study, "J01")[2]
    assert history[0].set_index("trial_id").loc[trial, "answer"] == letter_c


def test_pause_and_return_by_the_same_link(judging):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)
    press(app, "judge-pause")
    assert "Paused" in app.title[0].value
    elsewhere = enter(study)
    assert "0 of 3 answered. Everything is saved" in shown(elsewhere)
    press(elsewhere, "judge-resume")
    assert trial_on_screen(go_on(elsewhere)) == trial


def test_where_the_database_is_busy_the_choice_stays_and_is_saved_later(judging, monkeypatch):
    study = judging()
    app = answer(begin(study))
    trial = trial_on_screen(app)

    def busy(*args, **kwargs):
        raise Busy("the database did not answer", where="/home/owner/studies.sqlite")

    with monkeypatch.context() as broken:
        broken.setattr(JudgeDesk, "answer", busy)
        save(app, 1)
    told = desk(app)[1]
    assert "Nothing is lost" in told["problem"] and "/home" not in told["problem"]
    assert told["trial"] == trial and not told["saved"]
    save(app, 1)
    assert trial_on_screen(app) != trial


def test_a_repeat_for_another_trial_is_no_silent_loss_where_the_database_is_busy(
    judging, monkeypatch
):
    study = judging()
    app = answer(begin(study))
    first = trial_on_screen(app)
    save(app, 1)
    now = trial_on_screen(app)

    def busy(*args, **kwargs):
        raise Busy("the database did not answer")

    with monkeypatch.context() as broken:
        broken.setattr(JudgeDesk, "answer", busy)
        save(app, 1, trial=first)
    assert "Nothing is lost" in desk(app)[1]["problem"] and trial_on_screen(app) == now
    save(app, 1, trial=first)  # the answer that stands, again
    assert not desk(app)[1]["problem"] and trial_on_screen(app) == now


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
    save(app)
    for tab in (app, enter(study)):
        assert words in shown(tab) and "ask the person who invited you" in shown(tab).lower()
        assert not desk(tab)


def test_a_forged_link_and_one_whose_time_is_over(judging):
    study = judging()
    app = open_page("judge", t="A" * 22)
    assert "not known here" in shown(app) and not app.button
    short = study.service.new_link(study.invited[0].judge_id, days=1e-9)
    assert "link has expired" in shown(open_page("judge", t=short.token))


def test_a_participant_comes_by_the_open_link_and_returns_to_the_platform(judging):
    study = judging(judges=2, practice=0, purpose="To see <b>who</b> is told apart",
                    return_address="https://platform.example/done?cc={code}")  # fmt: skip
    study.service.revoke(study.invited[1].judge_id)
    link = study.service.open_link(judging_study.STUDY, 1)
    assert "participant id is missing" in shown(open_page("judge", t=link.token))
    app = open_page("judge", t=link.token, PROLIFIC_PID="p-17")
    assert "(p\\-17)" in shown(app) or "(p-17)" in shown(app)
    assert "**Purpose.** To see" in shown(app) and "<b>" not in shown(app)
    press(app, "judge-agree")
    answer(app)
    again = open_page("judge", t=link.token, PROLIFIC_PID="p-17")
    assert "1 of 3 answered" in shown(again), "the same participant goes on"
    assert "places of this study are taken" in shown(
        open_page("judge", t=link.token, workerId="somebody else")
    )
    while desk(again):
        answer(again)
    (button,) = again.get("link_button")
    assert button.proto.url == f"https://platform.example/done?cc={again.code[0].value}"


def test_a_closed_study_thanks(judging):
    study = judging()
    app = answer(answer(begin(study)))
    study.service.close(judging_study.STUDY)
    save(app)
    for tab in (app, enter(study)):
        assert "closed" in tab.title[0].value and "1 answer saved" in shown(tab)


def test_who_finds_all_taken_is_told_to_look_again(judging):
    study = judging()
    (reserve,) = study.service.invite(judging_study.STUDY)
    answer(begin(study))
    app = press(open_page("judge", t=reserve.token), "judge-agree")
    go_on(app)
    while desk(app):
        answer(app)
    assert "nothing to judge" in app.title[0].value
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
        keys = [key for each in answers for key in text.answer_keys(view, each)]
        keys += [key for _, key in text.CONFIDENCE.values()]
        keys += [text.SAVE_KEY, text.CHANGE_KEY, text.PAUSE_KEY]
        assert len(keys) == len(set(keys)) and not {"C", "R"} & set(keys)
