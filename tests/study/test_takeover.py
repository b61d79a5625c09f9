"""Places that a judge leaves open go to others; no place is filled twice, no answer refused."""

from collections import Counter

import pytest
from helpers.small_study import CLAIM_MINUTES, answer_all, change_last, on_both
from sqlalchemy import select

from capo_core.study.judging.trial_views import End
from capo_core.study.store import read
from capo_core.study.store.models import judgments


def filled(study):
    """place → judge, of the answers that stand."""
    query = select(judgments).where(judgments.c.withdrawn.is_(None), judgments.c.phase == "main")
    found = read(study.service.engine, lambda c: c.execute(query).all())
    assert max(Counter((row.place, row.trial_id) for row in found if row.place).values()) == 1
    assert max(Counter((row.judge_id, row.trial_id) for row in found).values()) == 1
    return found


def leave(study):
    study.clock.forward(minutes=CLAIM_MINUTES + 1)


def test_a_reserve_waits_while_everybody_is_there(study):
    study.judges(2)
    (reserve,) = study.judges()
    answer_all(reserve)
    end = reserve.next_trial()
    assert isinstance(end, End) and end.reason == "nothing_open" and end.progress.total == 0
    assert reserve.completion_code() == ""


def test_a_reserve_fills_what_an_absent_judge_left(make_study):
    study = make_study(overlap=False)
    first, second = study.judges(2)
    answer_all(first, 3)  # practice and two of four
    answer_all(second)
    leave(study)
    (reserve,) = study.judges()
    assert answer_all(reserve)[1:] == ["T03s1", "T04s1"]  # after practice, in the planned order
    assert reserve.next_trial().reason == "done" and reserve.completion_code()
    end = first.next_trial()
    assert isinstance(end, End) and end.progress.done == end.progress.total == 2
    assert {row.place for row in filled(study)} == {"J01", "J02"} and len(filled(study)) == 8


def test_who_comes_back_in_time_finds_everything(make_study):
    study = make_study(overlap=False)
    first, _ = study.judges(2)
    (reserve,) = study.judges()
    answer_all(first, 2)
    study.clock.forward(minutes=CLAIM_MINUTES - 1)
    answer_all(reserve)
    assert len(answer_all(first)) == 3


def test_who_comes_back_late_goes_on_with_what_is_left(make_study):
    study = make_study(overlap=False)
    first, second = study.judges(2)
    answer_all(second)
    answer_all(first, 2)
    leave(study)
    (reserve,) = study.judges()
    taken = answer_all(reserve, 2)[1:]  # practice and one
    reserve.next_trial()  # and holds another
    rest = answer_all(first)
    assert taken == ["T02s1"] and rest == ["T04s1"]
    assert answer_all(reserve) == ["T03s1"]
    assert len(filled(study)) == 8


def test_an_answer_too_late_for_its_place_is_kept_beside_it(make_study):
    study = make_study(overlap=False)
    first, second = study.judges(2)
    answer_all(second)
    answer_all(first, 1)
    late = first.next_trial().trial_id
    leave(study)
    (reserve,) = study.judges()
    answer_all(reserve)
    first.answer(late, "B")
    rows = [row for row in filled(study) if row.trial_id == late]
    assert sorted(row.place for row in rows) == ["", "J01"]
    assert first.progress().done == 1
    status = study.service.status(study.name)
    assert (status.filled, status.places) == (8, 8)
    assert [judge.extra for judge in status.judges] == [1, 0, 4]


def test_nobody_sees_an_item_twice_by_taking_over(make_study):
    study = make_study()  # both sequences show the same items
    _, second = study.judges(2)
    answer_all(second)
    leave(study)
    end = second.next_trial()
    assert end.reason == "done" and end.more == 0
    second.go_on()
    assert answer_all(second) == []


def test_who_is_done_may_go_on_up_to_the_cap(make_study):
    study = make_study(overlap=False, cap=7)
    _, second = study.judges(2)
    answer_all(second)  # 1 of practice and 4
    leave(study)
    assert second.next_trial().more == 2
    code = second.completion_code()
    second.go_on()
    assert answer_all(second) == ["T01s1", "T02s1"]
    assert second.completion_code() == code
    assert second.next_trial().reason == "done"


@on_both
def test_a_revoked_judge_frees_a_sequence_for_the_next_one_invited(study):
    first, _ = study.judges(2)
    answer_all(first, 3)
    study.service.revoke(study.service.status("s1").judges[0].judge_id)
    (made,) = study.service.invite("s1")
    assert made.judge_slot == "J01"
    desk = study.desk(made.token)
    desk.consent()
    assert answer_all(desk) == ["P1", "T03", "T04"]
    assert Counter(row.place for row in filled(study)) == {"J01": 4}


def test_an_owner_can_release_places_at_once(make_study):
    study = make_study(overlap=False)
    first, _ = study.judges(2)
    answer_all(first, 2)
    first.next_trial()
    (reserve,) = study.judges()
    assert answer_all(reserve) == ["P1s1"]
    study.service.release(study.service.status("s1").judges[0].judge_id)
    assert answer_all(reserve) == ["T02s1", "T03s1", "T04s1"]


@on_both
def test_what_is_held_by_one_reserve_is_not_given_to_another(study):
    study.invite(2)  # who never open their links
    leave(study)
    reserves = study.judges(2)
    for desk in reserves:
        answer_all(desk, 1)
    one, two = (desk.next_trial() for desk in reserves)
    assert one.trial_id == "T01" and two.trial_id == "T02"


def test_changing_an_answer_at_a_place_taken_over_keeps_it(make_study):
    study = make_study(overlap=False)
    _, second = study.judges(2)
    answer_all(second)
    leave(study)
    (reserve,) = study.judges()
    answer_all(reserve, 3)
    places = len(filled(study))
    assert change_last(reserve) == "T02s1" and len(filled(study)) == places


@pytest.mark.parametrize("judges", [1, 3])
def test_all_sequences_get_filled_by_whoever_is_there(make_study, judges):
    study = make_study(judges=judges, overlap=False, practice=0)
    study.invite(judges)
    leave(study)
    (reserve,) = study.judges()
    assert len(answer_all(reserve)) == 4 * judges
    assert len(filled(study)) == 4 * judges
