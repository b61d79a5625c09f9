"""The owner's password, and how often it may be wrong."""

import pytest

from capo_core.errors import StudyError
from capo_core.study.owner.access import SignInSettings, sign_in
from capo_core.study.store.rate_limits import TRIES, WINDOW

DOORS = SignInSettings("0.0.0.0", "a long password")


def test_wrong_passwords_are_counted_and_then_refused_with_the_right_one(study):
    def come(given, caller="203.0.113.7"):
        return sign_in(study.service.engine, given, DOORS, caller, study.clock)

    assert come(DOORS.password)
    assert [come("guess") for _ in range(TRIES)] == [False] * TRIES
    with pytest.raises(StudyError, match="too many wrong"):
        come(DOORS.password)
    assert come(DOORS.password, caller="203.0.113.8")
    study.clock.forward(seconds=WINDOW.total_seconds())
    assert come(DOORS.password)
