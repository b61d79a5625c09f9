"""Roles: owner, judge or stranger; and the addresses on which the dashboard may listen.

Pure functions over what a page knows of its visitor. On a server that only this machine can reach
the owner needs no password; anywhere else there is `CAPO_OWNER_PASSWORD`, or sign-in by OIDC
(Streamlit's `st.login`, `[auth]` in `.streamlit/secrets.toml`) with the owners' addresses in
`CAPO_OWNER_EMAILS`. With `CAPO_JUDGES_ONLY` nobody is the owner: for a computer that judges share.
Who comes by a judge's link is a judge, also the owner: so the owner sees what
judges see.

The owner's password, asked for with a limit on wrong ones that outlives the server.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Engine

from capo_core.errors import ConfigError, StudyError
from capo_core.formatting import count
from capo_core.study.store import audit, rate_limits, read, write

OWNER = "owner"
JUDGE = "judge"
STRANGER = "stranger"  # sees the sign-in page and nothing else

PASSWORD = "CAPO_OWNER_PASSWORD"
JUDGES_ONLY = "CAPO_JUDGES_ONLY"  # set to anything but 0: nobody is the owner at this server
EMAILS = "CAPO_OWNER_EMAILS"
SHORTEST_PASSWORD = 12
# A reverse proxy on this machine adds one of these: its visitors come from anywhere.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class SignInSettings:
    """The ways in which an owner can sign in.

    Attributes:
        address: where the server listens ("127.0.0.1", "0.0.0.0"); empty means everywhere.
        password: the owner's; empty for none.
        oidc: is sign-in by OIDC set up?
        emails: whose OIDC sign-in makes an owner, in lower case.
        judges_only: is the server for judges alone, so that nobody is the owner there?
    """

    address: str
    password: str = field(default="", repr=False)
    oidc: bool = False
    emails: tuple[str, ...] = ()
    judges_only: bool = False

    @classmethod
    def from_environment(
        cls, address: str, *, oidc: bool = False, environment: Mapping[str, str] | None = None
    ) -> SignInSettings:
        """Read the settings from the environment, `os.environ` unless given."""
        values = os.environ if environment is None else environment
        emails = (each.strip().lower() for each in values.get(EMAILS, "").split(","))
        alone = values.get(JUDGES_ONLY, "").strip() not in ("", "0")
        return cls(address, values.get(PASSWORD, ""), oidc, tuple(filter(None, emails)), alone)


@dataclass(frozen=True)
class Visitor:
    """Facts about a visitor that a page has.

    Attributes:
        has_link: did the browser session come by a judge's link (checked by the judge's desk)?
        signed_in: has it given the owner's password before, in this session?
        email: verified by OIDC; empty where nobody is signed in so.
        headers: of the request, names in any case.
    """

    has_link: bool = False
    signed_in: bool = False
    email: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def role_of(visitor: Visitor, doors: SignInSettings) -> str:
    """Return `OWNER`, `JUDGE` or `STRANGER`."""
    if visitor.has_link:
        return JUDGE
    if doors.judges_only:
        return STRANGER
    if doors.password and visitor.signed_in:
        return OWNER
    if doors.oidc and visitor.email and visitor.email.strip().lower() in doors.emails:
        return OWNER
    locked = bool(doors.password) or doors.oidc
    if not locked and is_loopback(doors.address) and from_this_machine(visitor.headers):
        return OWNER
    return STRANGER


def password_is_right(given: str, doors: SignInSettings) -> bool:
    """Compare in constant time; always false where there is no password.

    The page counts wrong ones with `limits` and keeps the answer in its session.
    """
    # Digests have one length: that of the password does not show either.
    digests = (
        hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, doors.password)
    )
    return bool(doors.password) and hmac.compare_digest(*digests)


def set_password(given: str, environment: MutableMapping[str, str] | None = None) -> None:
    """Set the owner's password of this server, until it ends; from then on nobody is the owner
    without it.

    Args:
        environment: `os.environ` unless given.

    Raises:
        ConfigError: it is shorter than `SHORTEST_PASSWORD`. StudyError: there is a password.
    """
    values = os.environ if environment is None else environment
    if values.get(PASSWORD):
        raise StudyError(
            "the owner's password is set already", todo=f"change {PASSWORD} where it is set"
        )
    if len(given) < SHORTEST_PASSWORD:
        raise ConfigError(
            f"the password has {count(len(given), 'character')}", where="Owner password",
            expected=f"{SHORTEST_PASSWORD} or more",
        )  # fmt: skip
    values[PASSWORD] = given


def check_binding(doors: SignInSettings) -> None:
    """Check before the server starts that strangers cannot become the owner.

    Raises:
        ConfigError: it would listen to other machines, and anybody there would be the owner; or
            the owner's password is short; or OIDC is set up and nobody is an owner by it.
    """
    if doors.password and len(doors.password) < SHORTEST_PASSWORD:
        raise ConfigError(
            f"the password in {PASSWORD} has {len(doors.password)} characters",
            expected=f"{SHORTEST_PASSWORD} or more",
        )
    if doors.judges_only:
        return
    if doors.oidc and not doors.emails and not doors.password:
        raise ConfigError(
            "sign-in by OIDC is set up, and it is not said who is an owner",
            todo=f"put their addresses into {EMAILS}, separated by commas",
        )
    if is_loopback(doors.address) or doors.password or doors.oidc:
        return
    raise ConfigError(
        f"the dashboard would listen on {doors.address or 'all addresses'}, where other machines "
        "can reach it, and whoever opens it there would be the owner: see the data, start "
        "trainings, unblind studies",
        todo=f"set {PASSWORD} to {SHORTEST_PASSWORD} characters or more, or set up OIDC; or listen "
        "on 127.0.0.1 only",
    )


def open_to_local_judges(base: str, doors: SignInSettings) -> bool:
    """Return whether judges who open links at `base` could open the owner's pages as well.

    Without a password and OIDC everybody at this computer is the owner: who judges here only has to
    go to the first page, and sees the sources. Judges elsewhere are strangers there.
    """
    if doors.judges_only:
        return False
    host = urlsplit(base if "//" in base else f"//{base}").hostname or ""
    return not doors.password and not doors.oidc and (not host or is_loopback(host))


def local_judges_error() -> StudyError:
    """Return what to do where `open_to_local_judges`."""
    return StudyError(
        "no owner password is set, so that judges at this computer could open these pages and see "
        "the sources",
        where="Links for judges at this computer",
        todo=f"set an owner password (here, or as {PASSWORD} before the dashboard starts; "
        f"{SHORTEST_PASSWORD} characters or more); or say that judges will sit here while it runs "
        "for judges alone (app --judges-only); or give an address at which judges elsewhere reach "
        "it",
    )


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach a server that listens on `address`."""
    name = address.strip().strip("[]").lower()
    if name == "localhost":
        return True
    try:
        found = ipaddress.ip_address(name)
    except ValueError:  # a name: where it leads is not for us to say
        return False
    return found.is_loopback


def from_this_machine(headers: Mapping[str, str]) -> bool:
    """Return whether a server on loopback was asked directly, under its own name.

    Not so through a proxy, which brings visitors from anywhere, nor under another host's name,
    which a page elsewhere can make a browser use (DNS rebinding).
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if any(name in lower for name in FORWARDED):
        return False
    return is_loopback(_without_port(lower.get("host", "")))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host


def sign_in(
    engine: Engine,
    given: str,
    doors: SignInSettings,
    caller: str,
    now: Callable[[], datetime] = audit.now,
) -> bool:
    """Return whether `given` is the owner's password; a wrong one is counted against `caller`.

    The page keeps the answer in its session, as `Visitor.signed_in`.

    Raises:
        StudyError: `caller` was wrong too often of late; also the right password is not taken
            from there until the window ends.
    """
    read(engine, lambda connection: rate_limits.check(connection, caller, now()))
    if password_is_right(given, doors):
        return True
    write(engine, lambda connection: rate_limits.count_refusal(connection, caller, now()))
    return False
