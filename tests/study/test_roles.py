"""Who is an owner, who is not, and where the dashboard may listen."""

import pytest

from capo_core.errors import ConfigError
from capo_core.study.owner.access import (
    JUDGE,
    OWNER,
    STRANGER,
    SignInSettings,
    Visitor,
    check_binding,
    is_loopback,
    open_to_local_judges,
    password_is_right,
    role_of,
)

HERE = {"Host": "localhost:8501"}
LONG = "a long password"
LOCAL = SignInSettings("127.0.0.1")


def test_on_loopback_the_owner_needs_no_password():
    for host in ("localhost:8501", "127.0.0.1:8501", "[::1]:8501", "localhost"):
        assert role_of(Visitor(headers={"host": host}), LOCAL) == OWNER


@pytest.mark.parametrize(
    "headers",
    [
        {**HERE, "X-Forwarded-For": "203.0.113.7"},
        {**HERE, "forwarded": "for=203.0.113.7"},
        {"Host": "lab.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8501"},
        {},
    ],
)
def test_through_a_proxy_or_under_another_name_nobody_is_owner_for_free(headers):
    assert role_of(Visitor(headers=headers), LOCAL) == STRANGER


def test_a_judges_link_makes_a_judge_of_everybody():
    doors = SignInSettings("127.0.0.1", LONG, True, ("a@b.c",))
    visitor = Visitor(has_link=True, signed_in=True, email="a@b.c", headers=HERE)
    assert role_of(visitor, doors) == role_of(Visitor(has_link=True, headers=HERE), LOCAL) == JUDGE


def test_with_a_password_only_who_gave_it_is_owner():
    doors = SignInSettings("0.0.0.0", LONG)
    assert role_of(Visitor(headers=HERE), doors) == STRANGER
    assert role_of(Visitor(headers=HERE), SignInSettings("127.0.0.1", LONG)) == STRANGER
    assert role_of(Visitor(signed_in=True), doors) == OWNER
    # A session that says it is signed in where there is no password is not believed.
    assert role_of(Visitor(signed_in=True), SignInSettings("0.0.0.0")) == STRANGER


def test_oidc_makes_owners_of_those_named():
    doors = SignInSettings("0.0.0.0", oidc=True, emails=("a@b.c",))
    assert role_of(Visitor(email=" A@B.c"), doors) == OWNER
    assert role_of(Visitor(email="x@b.c"), doors) == STRANGER
    assert (
        role_of(Visitor(email=""), SignInSettings("0.0.0.0", oidc=True, emails=("",))) == STRANGER
    )
    assert (
        role_of(Visitor(email="a@b.c"), SignInSettings("0.0.0.0", LONG, False, ("a@b.c",)))
        == STRANGER
    )


def test_only_the_password_itself_is_right():
    assert password_is_right(LONG, SignInSettings("", LONG))
    for wrong in ("", LONG[:-1], LONG + " ", LONG.upper(), "\udcff"):
        assert not password_is_right(wrong, SignInSettings("", LONG))
    assert not password_is_right("", SignInSettings(""))
    assert LONG not in repr(SignInSettings("", LONG))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("[::1]", True),
        ("localhost", True), ("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("", False),
        ("192.168.1.4", False), ("lab.example", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_addresses_of_this_computer_are_known(address, expected):
    assert is_loopback(address) is expected


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.168.1.4", "lab.example"])
def test_listening_to_others_needs_a_way_to_sign_in(address):
    with pytest.raises(ConfigError, match="CAPO_OWNER_PASSWORD") as caught:
        check_binding(SignInSettings(address))
    assert "whoever opens it there would be the owner" in str(caught.value)
    check_binding(SignInSettings(address, LONG))
    check_binding(SignInSettings(address, oidc=True, emails=("a@b.c",)))
    check_binding(LOCAL)


def test_doors_that_do_not_shut():
    with pytest.raises(ConfigError, match="5 characters") as caught:
        check_binding(SignInSettings("0.0.0.0", "short"))
    assert "short" not in str(caught.value).split("has")[0]
    with pytest.raises(ConfigError, match="CAPO_OWNER_EMAILS"):
        check_binding(SignInSettings("0.0.0.0", oidc=True))


def test_doors_from_the_environment():
    given = {"CAPO_OWNER_PASSWORD": LONG, "CAPO_OWNER_EMAILS": " A@b.c, ,d@e.f"}
    assert SignInSettings.from_environment("x", oidc=True, environment=given) == SignInSettings(
        "x", LONG, True, ("a@b.c", "d@e.f")
    )
    assert SignInSettings.from_environment("x", environment={}) == SignInSettings("x")


def test_a_server_for_judges_alone_has_no_owner():
    doors = SignInSettings.from_environment(
        "127.0.0.1", environment={"CAPO_JUDGES_ONLY": "1", "CAPO_OWNER_PASSWORD": LONG}
    )
    here = {"Host": "localhost:8501"}
    assert role_of(Visitor(signed_in=True, headers=here), doors) == STRANGER
    assert role_of(Visitor(has_link=True, headers=here), doors) == JUDGE
    alone = SignInSettings("0.0.0.0", judges_only=True)
    check_binding(alone)
    assert not open_to_local_judges("http://localhost:8501", alone)
    assert open_to_local_judges("http://localhost:8501", LOCAL)
    off = SignInSettings.from_environment("127.0.0.1", environment={"CAPO_JUDGES_ONLY": "0"})
    assert role_of(Visitor(headers=here), off) == OWNER
