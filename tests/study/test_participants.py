"""Participants of a platform: one open link for all, a judge for each, and what to pay by."""

from __future__ import annotations

import pytest
from helpers.small_study import answer_all, on_both

from capo_core.errors import ConfigError, StudyError
from capo_core.study.config import StudyConfig
from capo_core.study.judging import open_links
from capo_core.study.judging.desk import own_link
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.links import UnknownLink
from capo_core.study.owner.status import PARTICIPANTS


def enter(study, token, participant):
    own = own_link(study.judge_engine, token, participant, now=study.clock)
    desk = study.desk(own)
    desk.open()
    desk.consent()
    return desk


@on_both
def test_every_participant_gets_a_sequence_and_keeps_it(study):
    link = study.service.open_link("s1", 3)
    one, two = enter(study, link.token, "p1"), enter(study, link.token, "p2")
    answer_all(one, 2)
    again = enter(study, link.token, "p1")
    assert again.token != one.token != link.token
    assert again.progress().done == 1 and again.participant() == "p1"
    assert again.next_trial().trial_id == one.next_trial().trial_id, "both links are valid"
    answer_all(two)
    reserve = enter(study, link.token, "p3")  # there are two sequences
    assert reserve.next_trial().progress.done == 0 and reserve.participant() == "p3"
    with pytest.raises(StudyError, match="places of this study are taken"):
        enter(study, link.token, "p4")
    frame = study.service.participants("s1")
    assert tuple(frame.columns) == PARTICIPANTS
    rows = frame.set_index("participant")
    assert rows["judge_slot"].to_dict() == {"p1": "J01", "p2": "J02", "p3": ""}
    assert rows["complete"].to_dict() == {"p1": "no", "p2": "yes", "p3": "no"}
    assert rows.loc["p2", "completion_code"] == two.completion_code()
    assert rows.loc["p2", "minutes"] > 0 and rows.loc["p2", "last_answer"]
    assert "answer" not in frame.columns and link.token not in frame.to_csv()


@on_both
def test_links_that_open_nothing(study):
    link = study.service.open_link("s1", 1)
    for wrong in ("", "x" * 65, "two\nlines"):
        with pytest.raises(StudyError, match="participant id"):
            own_link(study.judge_engine, link.token, wrong, now=study.clock)
    with pytest.raises(ConfigError, match="places"):
        study.service.open_link("s1", 0)
    newer = study.service.open_link("s1", 1, days=1)
    with pytest.raises(StudyError, match="withdrawn"):
        enter(study, link.token, "p1")
    study.clock.forward(days=2)
    with pytest.raises(StudyError, match="expired"):
        enter(study, newer.token, "p1")
    last = study.service.open_link("s1", 1)
    study.service.close("s1")
    with pytest.raises(StudyError, match="closed"):
        enter(study, last.token, "p1")
    with pytest.raises(StudyError, match="closed"):
        study.service.open_link("s1", 1)
    with pytest.raises(UnknownLink):
        enter(study, "x" * 22, "p1")


def test_the_id_is_read_from_what_platforms_add():
    assert open_links.participant_of({"t": "x", "PROLIFIC_PID": " p1 "}) == "p1"
    assert open_links.participant_of({"workerId": "W2", "assignmentId": "a"}) == "W2"
    assert open_links.participant_of({"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}) == ""


def test_the_way_back_has_code_and_participant():
    terms = Terms(return_address="https://platform.example/done?cc={code}&p={participant}")
    assert terms.way_back("AB12", "a&b") == "https://platform.example/done?cc=AB12&p=a%26b"
    assert Terms().way_back("AB12", "p") == ""
    for wrong in ("javascript:alert(1)", "https://x.example/{name}", "https://x.example/a b"):
        with pytest.raises(ConfigError, match="return_address"):
            StudyConfig("s", "d", return_address=wrong)
    assert "return_address" not in StudyConfig("s", "d").to_dict()
