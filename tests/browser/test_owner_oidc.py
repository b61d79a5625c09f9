"""The owner's sign-in by OIDC: a real browser, a real server, a provider on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from capo_core.cli.start import SCRIPT

pytest.importorskip("authlib", reason="sign-in by OIDC needs authlib and httpx")
from helpers.oidc_provider import CLIENT, SECRET, Account, Provider

ROOT = Path(__file__).resolve().parents[2]
OWNER = "owner@lab.example"
ACCOUNTS = {
    "the owner": Account("the owner", {"email": "Owner@Lab.example"}),
    "a colleague": Account("a colleague", {"email": "colleague@lab.example"}),
    "unverified": Account("unverified", {"email": OWNER, "email_verified": False}),
    "says nothing": Account("says nothing", {"email": OWNER, "email_verified": None}),
    "forged": Account("forged", {"email": OWNER}, forged=True),
    "old": Account("old", {"email": OWNER, "exp": 1_000_000_000}),
    "for another": Account("for another", {"email": OWNER, "aud": "another-client"}),
    "replayed": Account("replayed", {"email": OWNER, "nonce": "of another sign-in"}),
    "elsewhere": Account("elsewhere", {"email": OWNER, "iss": "http://127.0.0.1:1"}),
}
DOOR = "for the study team"


@contextmanager
def dashboard(folder: Path, *options: str, environment: dict[str, str] | None = None):
    """The address of a dashboard with a workspace in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CAPO_OWNER_")}
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.headless=true",
         f"--server.port={port}", *options],
        cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        env=kept | {"CAPO_WORKSPACE": str(folder)} | (environment or {}),
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(timeout=30)
        log.close()


def up(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 240
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < end and process.poll() is None, "it did not start"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def provider():
    made = Provider(ACCOUNTS).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def lab(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oidc")
    with dashboard(
        folder, f"--secrets.files={folder / 'secrets.toml'}",
        environment={"CAPO_OWNER_EMAILS": OWNER},
    ) as (address, process):  # fmt: skip
        provider.redirect = f"{address}/oauth2callback"
        (folder / "secrets.toml").write_text(
            f'[auth]\nredirect_uri = "{provider.redirect}"\n'
            f'cookie_secret = "{"x7" * 20}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"\n'
        )
        up(address, process)
        yield address


@pytest.fixture
def tab(chromium):
    """A tab of a browser that was never here."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(180_000)
    yield context.new_page()
    context.close()


def heading(tab, words: str) -> None:
    tab.get_by_role("heading", name=words).wait_for()


def sign_in(tab, lab: str, account: str) -> None:
    tab.goto(f"{lab}/data")
    heading(tab, DOOR)
    tab.get_by_role("button", name="Sign in").click()
    heading(tab, "Who are you?")
    tab.get_by_role("link", name=account, exact=True).click()
    tab.wait_for_url(f"{lab}/**")


@pytest.mark.slow  # three servers in all
def test_the_owner_signs_in_and_out(lab, tab):
    sign_in(tab, lab, "the owner")
    tab.get_by_role("link", name="Studies").first.wait_for()
    for path, title in (("compare", "Compare"), ("data", "Data")):  # each a session of its own
        tab.goto(f"{lab}/{path}")
        tab.get_by_role("heading", name=title, exact=True).wait_for()
    tab.get_by_text("Signed in as Owner@Lab.example").wait_for()
    tab.get_by_role("button", name="Sign out").click()
    heading(tab, DOOR)
    tab.goto(f"{lab}/data")
    heading(tab, DOOR)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("a colleague", "signed in as colleague@lab.example, which is not an owner's address"),
        ("unverified", "has not verified"),
        ("says nothing", "has not verified"),
    ],
)
def test_another_account_sees_the_door_alone(lab, tab, account, said):
    sign_in(tab, lab, account)
    tab.get_by_text(said).wait_for()
    for path in ("data", "studies"):
        tab.goto(f"{lab}/{path}")
        heading(tab, DOOR)
        assert tab.get_by_test_id("stPageLink").count() == 0
    tab.get_by_role("button", name="Sign out").click()
    tab.get_by_role("button", name="Sign in").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("account", ["forged", "old", "for another", "replayed", "elsewhere"])
def test_a_token_that_is_not_right_signs_nobody_in(lab, tab, account):
    sign_in(tab, lab, account)
    tab.get_by_role("button", name="Sign in").wait_for()
    tab.goto(f"{lab}/data")
    heading(tab, DOOR)
    assert tab.get_by_role("button", name="Sign out").count() == 0


@pytest.mark.slow
def test_a_made_up_answer_of_the_provider_signs_nobody_in(lab, tab, provider):
    tab.goto(f"{lab}/oauth2callback?code=guessed&state=guessed")
    heading(tab, DOOR)
    tab.goto(f"{lab}/data")
    heading(tab, DOOR)
    assert provider.refused == [], "what the dashboard asked for was always right"


@pytest.mark.slow
def test_open_to_others_without_a_door_it_stays_shut(tmp_path, tab):
    with dashboard(tmp_path, "--server.address=0.0.0.0") as (address, process):
        up(address, process)
        tab.goto(f"{address}/data")
        heading(tab, "The dashboard cannot be opened at this address")
        tab.get_by_text("whoever opens it there would be the owner").wait_for()
        assert tab.get_by_test_id("stPageLink").count() == 0
