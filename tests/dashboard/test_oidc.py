"""Settings of the sign-in by OIDC, and whose address is believed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capo_core.dashboard.app import access
from capo_core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = {"client_id": "c", "client_secret": "s", "server_metadata_url": "https://p.example/x"}
HOUSE = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x7" * 16}
AUTH = HOUSE | PROVIDER


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.setattr(access, "PACKAGES", ("json",))


def test_providers_are_named_as_streamlit_wants_them():
    assert access.providers(AUTH) == ("default",)
    assert access.providers(AUTH | {"client_kwargs": {"prompt": "login"}}) == ("default",)
    assert access.providers(HOUSE | {"google": PROVIDER, "lab": PROVIDER}) == ("google", "lab")
    assert access.providers(HOUSE | {"default": PROVIDER}) == ("default",)
    assert access.providers(HOUSE) == ()


def test_good_settings_pass():
    for auth in (AUTH, HOUSE | {"google": PROVIDER}, HOUSE | {"default": PROVIDER}):
        access.check(auth)


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (AUTH | {"cookie_secret": "x" * 31}, "a guessed secret allows signing in as anyone"),
        (PROVIDER | {"redirect_uri": HOUSE["redirect_uri"]}, "cookie_secret is missing"),
        (AUTH | {"redirect_uri": "http://localhost:8501"}, "redirect_uri"),
        (HOUSE, "no provider is configured"),
        (AUTH | {"client_secret": ""}, "client_secret is missing"),
        (HOUSE | {"google": {"client_id": "c"}}, r"\[auth.google\]: client_secret, server_meta"),
        (HOUSE | {"my_lab": PROVIDER}, "underscore"),
    ],
)
def test_settings_by_which_nobody_or_anybody_came_in_are_refused(auth, said):
    with pytest.raises(ConfigError, match=said) as caught:
        access.check(auth)
    assert "x" * 31 not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(access, "PACKAGES", ("json", "authlib_that_is_not_there"))
    with pytest.raises(ConfigError, match="pip install authlib_that_is_not_there"):
        access.check(AUTH)


@pytest.mark.parametrize(
    ("claims", "believed"),
    [
        ({"email_verified": True}, True), ({"email_verified": "true"}, True), ({}, False),
        ({"email_verified": False}, False), ({"email_verified": "false"}, False),
        ({"email_verified": None}, False), ({"email_verified": 1}, False),
    ],
)  # fmt: skip
def test_only_a_verified_address_is_a_persons(claims, believed):
    assert access.verified_email({"email": "a@b.c"} | claims) == ("a@b.c" if believed else "")
    assert access.verified_email(claims) == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_make_app_says_what_is_wrong_before_the_server_starts(tmp_path, address):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text('[auth]\ncookie_secret = "short"\n')
    made = subprocess.run(
        [sys.executable, "-m", "capo_core.dashboard.app.binding"], cwd=tmp_path, text=True,
        capture_output=True, timeout=240, check=False,
        env=os.environ
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
           "STREAMLIT_SERVER_ADDRESS": address, "CAPO_OWNER_EMAILS": "a@b.c"},
    )  # fmt: skip
    assert made.returncode == 2
    assert "not installed" in made.stderr or "cookie_secret" in made.stderr
