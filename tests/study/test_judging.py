"""The judge's desk: shows, saves, takes back, and never asks or keeps an answer twice."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from helpers.small_study import CLAIM_MINUTES, answer_all, on_both
from sqlalchemy import select

from capo_core.errors import ConfigError, StudyError
from capo_core.study.judging import answers
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, Pause, TrialView
from capo_core.study.store import read
from capo_core.study.store.judge_guard import OffLimits
from capo_core.study.store.models import judgments


def rows(study):
    return read(
        study.service.engine,
        lambda c: c.execute(select(judgments).order_by(judgments.c.judgment_id)).all(),
    )


def practised(study, count=1):
    desks = study.judges(count)
    for desk in desks:
        desk.answer(desk.next_trial().trial_id, "A")
    return desks


def test_nothing_is_shown_before_consent(study):
    (desk,) = study.invite()
    assert desk.open() == study.terms and not desk.consented()
    with pytest.raises(StudyError, match="not agreed"):
        desk.next_trial()
    desk.consent()
    desk.consent()
    assert desk.consented() and isinstance(desk.next_trial(), TrialView)
    assert list(study.service.audit_log("s1")["event"]).count("consent") == 1


def test_practice_comes_first_with_feedback_by_the_letters_on_the_screen(study):
    (desk,) = study.judges()
    view = desk.next_trial()
    assert view.practice and view.answers == ("A", "B", "C", "cannot_tell")
    # Cards are shown in the order ann-3, ann-1, ann-2, and ann-1 is right: letter B.
    said = desk.answer(view.trial_id, "A").feedback
    assert (said.right, said.answer, said.note) == (False, "B", "Short and plain.")
    view = desk.next_trial()
    assert not view.practice and desk.answer(view.trial_id, "A").feedback is None


@on_both
def test_what_practice_teaches_can_be_read_again_until_the_next_trial_is_shown(study):
    (desk,) = study.judges()
    assert desk.practice_feedback() is None
    asked = desk.next_trial()
    assert desk.practice_feedback() is None, "nothing is taught before the answer"
    said = desk.answer(asked.trial_id, "A", "3").feedback
    for _ in range(2):  # a refresh, and another
        lesson = desk.practice_feedback()
        assert (lesson.feedback, lesson.given.answer, lesson.given.confidence) == (said, "A", "3")
        assert lesson.view.trial_id == asked.trial_id and lesson.view.practice
        assert (lesson.view.texts, lesson.view.cards) == (asked.texts, asked.cards)
        assert lesson.view.progress == asked.progress
    desk.pause()
    assert desk.practice_feedback() is None
    desk.resume()
    assert desk.practice_feedback() is not None
    following = desk.next_trial()
    assert following.trial_id != asked.trial_id and desk.practice_feedback() is None
    desk.answer(following.trial_id, following.answers[0])
    assert desk.practice_feedback() is None, "of a trial that counts nothing is told"
    desk.last_trial()
    assert desk.practice_feedback() is None
    assert len(rows(study)) == 2


def test_each_practice_trial_teaches_and_none_is_asked_twice(make_study):
    study = make_study(practice=2)
    (desk,) = study.judges()
    asked = []
    for number in range(2):
        asked.append(desk.next_trial())
        desk.answer(asked[-1].trial_id, "B")
        lesson = desk.practice_feedback()
        assert lesson.view.trial_id == asked[-1].trial_id and lesson.feedback.right
        assert lesson.view.progress.practice_done == number
    assert len({view.trial_id for view in asked}) == 2
    study.service.close(study.name)
    assert desk.practice_feedback() is None


def test_no_lesson_before_consent_nor_by_anothers_link(make_study):
    study = make_study()
    (one,), (other,) = study.judges(), study.invite()
    one.answer(one.next_trial().trial_id, "A")
    with pytest.raises(StudyError, match="agreed"):
        other.practice_feedback()
    other.consent()
    assert other.practice_feedback() is None
    with pytest.raises(StudyError, match="not known"):
        study.desk("x" * 22).practice_feedback()


@on_both
def test_what_is_clicked_is_stored_by_identity_not_by_place(study):
    one, two = practised(study, 2)
    for desk, expected in ((one, "b"), (two, "a")):  # J01 sees the sides turned
        view = desk.next_trial()
        desk.answer(view.trial_id, "B")  # of ann-3, ann-1, ann-2
        view = desk.next_trial()
        desk.answer(view.trial_id, "left", confidence="3", reason="its words")
        last = rows(study)[-1]
        assert (last.answer, last.side, last.confidence) == (expected, "left", "3")
        assert last.reason == "its words"
        assert rows(study)[-2].answer == "ann-1" and rows(study)[-2].side == ""


def test_the_texts_stand_on_the_side_that_is_stored(study):
    one, two = practised(study, 2)
    words = []
    for desk in (one, two):
        answer_all(desk, 1)
        view = desk.next_trial()
        words.append([len(shown.explanation.split()) for shown in view.texts])
    # Stored slot 0 has 3 words, slot 1 has 5; J01 sees slot 1 on the left.
    assert words == [[5, 3], [3, 5]]


@pytest.mark.parametrize("answer", ["D", "left", "ann-1", "", "a"])
def test_an_answer_that_was_not_offered_is_refused(make_study, answer):
    (desk,) = practised(make_study())
    with pytest.raises(StudyError, match="not an answer to this trial"):
        desk.answer(desk.next_trial().trial_id, answer)


def test_confidence_and_reason_have_bounds(make_study):
    (desk,) = practised(study := make_study())
    trial = desk.next_trial().trial_id
    with pytest.raises(StudyError, match="confidence"):
        desk.answer(trial, "A", confidence="5")
    with pytest.raises(StudyError, match="2,001 characters"):
        desk.answer(trial, "A", reason="x" * (answers.LONGEST_REASON + 1))
    assert len(rows(study)) == 1
    desk.answer(trial, "A", reason=" a\x00b\x1b[31m\r\nc\udcff می‌خواهم ")
    assert rows(study)[-1].reason == "ab[31m\nc می‌خواهم"


@on_both
def test_the_same_answer_again_is_one_answer_another_is_refused(study):
    (desk,) = practised(study)
    trial = desk.next_trial().trial_id
    first = desk.answer(trial, "A", "2", "why")
    again = desk.answer(trial, "A", "2", "why")
    assert not first.again and again.again and again.at == first.at
    for other in (("B", "2", "why"), ("A", "3", "why"), ("A", "2", "else")):
        with pytest.raises(StudyError, match="another answer already"):
            desk.answer(trial, *other)
    assert len(rows(study)) == 2


def test_a_refresh_shows_the_same_trial_and_keeps_its_time(study):
    (desk,) = practised(study)
    first = desk.next_trial()
    study.clock.forward(minutes=3)
    again = desk.next_trial()
    assert (again.trial_id, again.shown_at) == (first.trial_id, first.shown_at)
    study.clock.forward(minutes=CLAIM_MINUTES + 1)
    later = desk.next_trial()
    assert later.trial_id == first.trial_id
    # Who was away did not look at the text all the while.
    assert later.shown_at > first.shown_at + timedelta(minutes=CLAIM_MINUTES)


def test_the_page_may_say_later_but_not_earlier_or_the_future(study):
    (desk,) = practised(study)
    for shift in (timedelta(seconds=5), -timedelta(hours=1), timedelta(hours=1), None):
        view = desk.next_trial()
        study.clock.forward(seconds=60)
        desk.answer(
            view.trial_id,
            view.answers[0],
            shown_at=None if shift is None else view.shown_at + shift,
        )
        last, expected = rows(study)[-1], view.shown_at
        if shift is not None and shift > timedelta(0):
            expected = min(view.shown_at + shift, last.answered)
        assert last.shown == expected


def test_a_trial_that_was_not_shown_cannot_be_answered(study):
    one, two = practised(study, 2)
    shown = one.next_trial().trial_id
    for trial in (shown, "T04", "nonsense"):
        with pytest.raises(StudyError, match="not shown to you"):
            two.answer(trial, "A")
    assert len(rows(study)) == 2


@on_both
def test_the_last_answer_stands_until_another_replaces_it(study):
    (desk,) = practised(study)
    trial = desk.next_trial().trial_id
    first = desk.answer(trial, "A", "1", "at first")
    following = desk.next_trial().trial_id
    for _ in range(2):  # a second click
        view = desk.last_trial()
        assert view.trial_id == trial != following and view.progress.done == 1
        assert asdict(view.earlier) == {"answer": "A", "confidence": "1", "reason": "at first"}
    assert desk.next_trial().trial_id == following, "a refresh leaves the answer as it is"
    again = desk.answer(trial, "A", "1", "at first", replaces=True)
    assert again.again and again.at == first.at
    study.clock.forward(seconds=5)
    for _ in range(2):  # the message came twice
        desk.answer(trial, "B", "4", replaces=True, layout="stacked")
    changed = rows(study)[1:]
    assert [(row.answer, row.withdrawn is None) for row in changed] == [
        ("ann-3", False),
        ("ann-1", True),
    ]
    assert changed[1].place == changed[0].place != "" and changed[1].shown >= changed[0].answered
    assert ["layout" in row.displayed for row in changed] == [False, True]
    assert list(study.service.audit_log("s1")["event"])[-2:] == ["answer", "change"]
    assert desk.next_trial().trial_id == following
    desk.answer(following, desk.next_trial().answers[0])
    with pytest.raises(StudyError, match="only the last answer"):
        desk.answer(trial, "A", replaces=True)


def test_what_cannot_be_changed(study):
    (desk,) = study.judges()
    with pytest.raises(StudyError, match="no answer yet"):
        desk.last_trial()
    trial = desk.next_trial().trial_id
    desk.answer(trial, "A")
    with pytest.raises(StudyError, match="practice"):
        desk.last_trial()
    with pytest.raises(StudyError, match="practice"):
        desk.answer(trial, "B", replaces=True)


def test_only_the_judges_own_answers_are_changed(study):
    one, two = practised(study, 2)
    answer_all(one, 1)
    with pytest.raises(StudyError, match="practice"):
        two.last_trial()


def test_progress_counts_main_trials_and_tells_minutes_from_the_third_on(make_study):
    study = make_study(main=6)
    (desk,) = study.judges()
    seen = []
    for seconds in (100, 10, 20, 40):  # the first is practice and does not count
        view = desk.next_trial()
        study.clock.forward(seconds=seconds)
        desk.answer(view.trial_id, view.answers[0])
        done, total, minutes = desk.progress()
        seen.append((done, total, minutes))
    took = [(row.answered - row.shown).total_seconds() for row in rows(study)[1:]]
    assert seen[:3] == [(0, 6, None), (1, 6, None), (2, 6, None)]
    assert seen[3] == (3, 6, pytest.approx(sorted(took)[1] * 3 / 60))
    assert desk.progress().practice_done == desk.progress().practice_total == 1


def test_pause_and_return(study):
    (desk,) = practised(study)
    trial = desk.next_trial().trial_id
    desk.pause()
    assert isinstance(desk.next_trial(), Pause) and desk.next_trial().progress.total == 4
    elsewhere = JudgeDesk(desk.engine, desk.token, study.clock)
    elsewhere.resume()
    assert elsewhere.next_trial().trial_id == trial


@on_both
def test_the_end_has_a_code_and_not_before(study):
    (desk,) = study.judges()
    assert desk.completion_code() == ""
    answer_all(desk, 4)
    assert desk.completion_code() == ""
    answer_all(desk)
    end = desk.next_trial()
    assert isinstance(end, End) and end.reason == "done" and end.progress.done == 4
    code = desk.completion_code()
    assert len(code) == 8 and code == desk.completion_code()
    desk.last_trial()
    assert desk.completion_code() == code, "changing an answer takes nothing away"


def test_each_judge_gets_another_code(study):
    codes = set()
    for desk in study.judges(2):
        answer_all(desk)
        codes.add(desk.completion_code())
    assert len(codes) == 2


@on_both
def test_after_closing_nothing_is_taken_and_nothing_lost(study):
    (desk,) = practised(study)
    trial = desk.next_trial().trial_id
    study.service.close("s1")
    with pytest.raises(StudyError, match="closed"):
        desk.answer(trial, "A")
    with pytest.raises(StudyError, match="closed"):
        desk.last_trial()
    assert desk.next_trial().reason == "closed" and len(rows(study)) == 1


def test_a_view_names_no_text_item_or_person(study):
    (desk,) = study.judges()
    for _ in range(5):
        view = desk.next_trial()
        held = repr(asdict(view))
        for name in ("ann-", "X" + view.trial_id, f"'i{view.trial_id}'", "judge-", "J01"):
            assert name not in held
        desk.answer(view.trial_id, view.answers[0])


def test_reasoning_shows_the_text_and_the_targets_own(make_study, monkeypatch):
    from capo_core.study.tables import as_cell

    study = make_study(main=2)
    frames = {name: frame.copy() for name, frame in study.frames.items()}
    trial = frames["trials"]["trial_id"] == "T02"
    frames["trials"].loc[trial, "kind"] = "reasoning"
    here = frames["assignments"]["trial_id"] == "T02"
    frames["assignments"].loc[here, "order"] = as_cell({"cards": [], "slots": [0, 1]})
    study.service.load("r", frames, "h", Terms())
    (made,) = study.service.invite("r")
    desk = study.desk(made.token)
    desk.consent()
    answer_all(desk, 2)
    view = desk.next_trial()
    assert (view.kind, view.cards, view.answers) == ("reasoning", (), ("1", "2", "3", "4", "5"))
    assert [len(shown.explanation.split()) for shown in (*view.texts, view.reference)] == [3, 5]
    desk.answer("T02", "4")
    assert (rows(study)[-1].answer, rows(study)[-1].side) == ("4", "")


def test_a_desk_takes_only_the_judges_engine(study):
    with pytest.raises(OffLimits):
        JudgeDesk(study.service.engine, "x")


def test_terms_have_bounds():
    for wrong in ({"claim_minutes": 0}, {"cap": -1}, {"title": " "}):
        with pytest.raises(ConfigError):
            Terms(**wrong)
    terms = Terms(labels=("a", "b"), cap=3)
    assert Terms.from_json(terms.to_json()) == terms


def test_the_token_is_in_no_repr(study):
    (desk,) = study.invite()
    (made,) = study.service.invite("s1")
    assert desk.token not in repr(desk) and made.token not in repr(made)
