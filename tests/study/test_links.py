"""Links: random, hashed, bound, expiring, revocable, and no place to guess."""

from datetime import timedelta

import pytest
from helpers.small_study import answer_all, on_both
from sqlalchemy import select

from capo_core.errors import ConfigError, StudyError
from capo_core.study.judging import links
from capo_core.study.store import models, rate_limits, read


def everything(study):
    """All that the database holds, as one text."""
    tables = models.metadata.tables.values()
    return read(
        study.service.engine, lambda c: repr([c.execute(select(each)).all() for each in tables])
    )


def test_a_token_has_128_random_bits():
    tokens = {links.new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    # 22 characters of 6 bits hold 16 bytes.
    assert {len(token) for token in tokens} == {22} and links.TOKEN_BYTES * 8 == 128


def test_the_token_is_stored_nowhere(study):
    (made,) = study.service.invite("s1", note="Ann")
    study.desk(made.token).open()
    assert made.token not in everything(study)
    assert links.hash_of(made.token) in everything(study)


def test_a_link_leads_to_its_judge_only(study):
    one, two = study.judges(2)
    answer_all(one, 3)
    assert one.progress().done == 2 and two.progress().done == 0


@pytest.mark.parametrize("token", ["", "x", "A" * 22, "A" * 10_000, "' OR 1=1 --", "\udcff\0"])
def test_forged_and_guessed_tokens(study, token):
    study.invite()
    with pytest.raises(links.UnknownLink, match="not known"):
        study.desk(token).open()


def test_the_hash_is_no_token(study):
    (made,) = study.service.invite("s1")
    with pytest.raises(links.UnknownLink):
        study.desk(links.hash_of(made.token)).open()


def test_an_expired_link(study):
    (made,) = study.service.invite("s1", days=2)
    desk = study.desk(made.token)
    desk.open()
    study.clock.forward(days=2)
    for act in (desk.open, desk.consent, desk.next_trial, desk.last_trial, desk.progress):
        with pytest.raises(StudyError, match="link has expired"):
            act()


@on_both
def test_a_revoked_link_ends_in_the_middle_of_the_work(study):
    (desk,) = study.judges()
    answer_all(desk, 2)
    trial = desk.next_trial().trial_id
    judge = study.service.status("s1").judges[0].judge_id
    study.service.revoke(judge)
    study.service.revoke(judge)
    for act in (lambda: desk.answer(trial, "A"), desk.next_trial, desk.open, desk.last_trial):
        with pytest.raises(StudyError, match="withdrawn"):
            act()
    with pytest.raises(StudyError, match="was revoked"):
        study.service.new_link(judge)
    assert study.service.status("s1").judges[0].done == 1
    assert list(study.service.audit_log("s1")["event"]).count("revoke") == 1


def test_a_new_link_for_the_same_judge_ends_the_old_one(study):
    (old,) = study.judges()
    answer_all(old, 3)
    judge = study.service.status("s1").judges[0].judge_id
    new = study.desk(study.service.new_link(judge).token)
    with pytest.raises(StudyError, match="withdrawn"):
        old.open()
    assert new.consented() and new.progress().done == 2


def test_wrong_links_are_counted_for_the_caller_and_the_count_outlives_the_process(study):
    (made,) = study.service.invite("s1")
    for _ in range(rate_limits.TRIES):
        with pytest.raises(links.UnknownLink):
            study.desk("A" * 22, caller="10.0.0.9").open()
    with pytest.raises(StudyError, match="too many wrong links"):
        study.desk(made.token, caller="10.0.0.9").open()
    study.desk(made.token, caller="10.0.0.7").open()  # somebody else
    assert "10.0.0.9" not in everything(study)
    study.clock.forward(seconds=rate_limits.WINDOW.total_seconds())
    study.desk(made.token, caller="10.0.0.9").open()


def test_a_judge_at_work_is_not_thrown_out_by_a_guessing_neighbour(study):
    (made,) = study.service.invite("s1")
    desk = study.desk(made.token, caller="10.0.0.9")
    desk.open()
    desk.consent()
    for _ in range(rate_limits.TRIES):
        with pytest.raises(links.UnknownLink):
            study.desk("guess", caller="10.0.0.9").open()
    assert answer_all(desk, 2)


def test_counts_are_forgotten_with_their_window(study):
    with pytest.raises(links.UnknownLink):
        study.desk("guess", caller="a").open()
    study.clock.forward(seconds=2 * rate_limits.WINDOW.total_seconds())
    with pytest.raises(links.UnknownLink):
        study.desk("guess", caller="b").open()
    rows = read(study.service.engine, lambda c: c.execute(select(models.attempts)).all())
    assert len(rows) == 1


def test_bounds_of_an_invitation(study):
    for wrong in ({"count": 0}, {"count": 1001}, {"days": 0}, {"days": 366}):
        with pytest.raises(ConfigError):
            study.service.invite("s1", **wrong)
    with pytest.raises(StudyError, match="no study"):
        study.service.invite("nonsense")
    with pytest.raises(StudyError, match="no judge"):
        study.service.revoke("nonsense")


def test_an_invitation_has_a_slot_an_address_and_an_end(study):
    made = study.service.invite("s1", 3, days=5)
    assert [each.judge_slot for each in made] == ["J01", "J02", ""]
    assert made[0].url("http://h:1/") == f"http://h:1/judge?t={made[0].token}"
    assert all(timedelta(days=4.9) < each.expires - study.clock.time for each in made)
