"""The role of a session (owner, judge or stranger), and the ways to sign in as owner.

`study.owner.access` decides the role. A session that opens `/judge` is a judge's from then on: it
loses rights by that and never gains any; its link is checked at every step of judging.

Sign-in by OIDC is Streamlit's (`st.login`, by Authlib: discovery, code flow, the token's signature,
issuer, audience and nonce). This module checks `[auth]` of `.streamlit/secrets.toml`, and accepts
only e-mail addresses that the provider calls verified.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from capo_core.dashboard.app import tab_storage
from capo_core.errors import ConfigError
from capo_core.study.judging.links import hash_of, new_token
from capo_core.study.owner.access import (
    JUDGE,
    OWNER,
    STRANGER,
    SignInSettings,
    Visitor,
    check_binding,
    password_is_right,
    role_of,
)
from capo_core.study.store import audit

PACKAGES = ("authlib", "httpx")
OF_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
CALLBACK = "/oauth2callback"
SHORTEST_SECRET = 32  # a guessed secret allows signing in as anyone
DEFAULT = "default"
WHERE = ".streamlit/secrets.toml, [auth]"


def providers(auth: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names for `st.login`: "default" for the keys in `[auth]` itself, and those of the
    sections `[auth.NAME]`."""
    named = tuple(name for name, value in auth.items() if isinstance(value, Mapping))
    own = any(key in auth for key in OF_PROVIDER) and DEFAULT not in named
    return ((DEFAULT,) if own else ()) + tuple(n for n in named if n != "client_kwargs")


def check(auth: Mapping[str, Any]) -> None:
    """Check the settings of OIDC.

    Raises:
        ConfigError: nobody could sign in with these settings, or anybody could.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"sign-in by OIDC is set up, and {' and '.join(missing)} is not installed",
            where=WHERE,
            todo=f"pip install {' '.join(missing)}",
        )
    if len(str(auth.get("cookie_secret", ""))) < SHORTEST_SECRET:
        raise ConfigError(
            "cookie_secret is missing or too short; a guessed secret allows signing in as anyone",
            where=WHERE,
            expected=f"{SHORTEST_SECRET} random characters or more",
            todo="generate one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    if not str(auth.get("redirect_uri", "")).endswith(CALLBACK):
        raise ConfigError(
            "redirect_uri is missing or is not Streamlit's callback address",
            where=WHERE,
            expected=f"the dashboard's address followed by {CALLBACK}",
        )
    names = providers(auth)
    if not names:
        raise ConfigError("no provider is configured", where=WHERE, expected=", ".join(OF_PROVIDER))
    for name in names:
        section = auth if name == DEFAULT and DEFAULT not in auth else auth[name]
        absent = [key for key in OF_PROVIDER if not section.get(key)]
        if absent:
            raise ConfigError(
                f"{', '.join(absent)} is missing",
                where=WHERE if section is auth else f"{WHERE[:-1]}.{name}]",
            )
        if "_" in name:
            raise ConfigError(
                f"the provider name {name!r} has an underscore, which Streamlit does not accept",
                where=WHERE,
            )


def verified_email(user: Mapping[str, Any]) -> str:
    """Return the verified e-mail address; empty without one, since some providers accept any.

    Args:
        user: the claims of the token. `email_verified` is true or, from a few providers, "true".
    """
    said = user.get("email_verified", False)
    verified = said is True or (isinstance(said, str) and said.lower() == "true")
    return str(user.get("email") or "") if verified else ""


JUDGE_PATH = "judge"
TOKEN_KEY = "t"  # of the address of a judge's link
_BY_LINK = "access.by_link"
_PATH = "access.path"
_SIGNED_IN = "access.signed_in"
_PASS = "access.pass"
PASS_HOURS = 12  # a sign-in survives reloads for so long, or until the server ends


def sign_in_ways(address: str | None = None) -> SignInSettings:
    """Return the ways to sign in as owner, from the server's settings and the environment.

    Args:
        address: where the server will listen; by default as configured.
    """
    if address is None:
        address = st.get_option("server.address") or ""
    return SignInSettings.from_environment(address, oidc=has_oidc())


def has_oidc() -> bool:
    """Return whether `[auth]` of `.streamlit/secrets.toml` sets up sign-in by OIDC."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def why_closed(address: str | None = None) -> ConfigError | None:
    """Return why nobody gets access, or None: the server listens on an address where everybody
    would be the owner, or the sign-in by OIDC is misconfigured."""
    try:
        check_binding(sign_in_ways(address))
        if has_oidc():
            check(st.secrets["auth"])
    except ConfigError as error:
        return error
    return None


def role() -> str:
    """Return `OWNER`, `JUDGE` or `STRANGER`; always `STRANGER` while `why_closed` has a reason."""
    if why_closed() is not None:
        return STRANGER
    found = sign_in_ways()
    visitor = Visitor(
        has_link=_by_link(),
        signed_in=bool(st.session_state.get(_SIGNED_IN)),
        email=_email(found),
        headers=_headers(),
    )
    return role_of(visitor, found)


def signed_in_by_oidc() -> bool:
    """Return whether somebody is signed in by OIDC in this session, owner or not."""
    return has_oidc() and bool(st.user.is_logged_in)


def needs_no_sign_in() -> bool:
    """Return whether the local user is the owner without signing in."""
    found = sign_in_ways()
    return not found.password and not found.oidc and not found.judges_only


def is_owner() -> bool:
    """Return whether this session is the owner's."""
    return role() == OWNER


def is_judge() -> bool:
    """Return whether this session is a judge's."""
    return role() == JUDGE


def path() -> str:
    """Return the page that the session began with, as in the address; empty for the first page."""
    if _PATH not in st.session_state:
        # Read once: later, Streamlit's answer depends on which pages are registered.
        asked = urlsplit(st.context.url or "").path
        st.session_state[_PATH] = asked.rstrip("/").rpartition("/")[2]
    return st.session_state[_PATH]


def sign_in(password: str) -> bool:
    """Check the owner's password; if it is right, make the session the owner's."""
    if not password_is_right(password, sign_in_ways()):
        return False
    token, now, known = new_token(), audit.now(), _sign_ins()
    for old in [each for each, until in known.items() if until <= now]:
        known.pop(old, None)
    known[hash_of(token)] = now + timedelta(hours=PASS_HOURS)
    st.session_state[_SIGNED_IN], st.session_state[_PASS] = True, token
    return True


def keep_signed_in() -> None:
    """Store the sign-in in the owner's tab, for reloads; nothing without a sign-in."""
    if _PASS in st.session_state:
        tab_storage.store(tab_storage.PASS, st.session_state[_PASS])


def restore_sign_in() -> bool:
    """Restore a valid sign-in from the tab; return whether there was one."""
    token = tab_storage.request(tab_storage.PASS)
    until = _sign_ins().get(hash_of(token))
    if until is None or until <= audit.now() or not sign_in_ways().password:
        return False
    st.session_state[_SIGNED_IN], st.session_state[_PASS] = True, token
    return True


@st.cache_resource(show_spinner=False)
def _sign_ins() -> dict[str, datetime]:
    """Return the sign-ins: hash of a token → expiry; lost when the server ends."""
    return {}


def caller() -> str:
    """Return the network address that refused sign-ins are counted against.

    Behind a proxy on this machine it is the one that the proxy added, the last of its list.
    """
    direct = st.context.ip_address
    forwarded = _headers().get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return direct or forwarded or "this machine"


def _by_link() -> bool:
    if path() == JUDGE_PATH or TOKEN_KEY in st.query_params:
        st.session_state[_BY_LINK] = True
    return bool(st.session_state.get(_BY_LINK))


def _headers() -> dict[str, str]:
    """Return the headers of the request. Without any, no network is involved: the page runs in a
    test or by hand, since a WebSocket cannot be opened without headers."""
    return st.context.headers.to_dict() or {"Host": "localhost"}


def _email(found: SignInSettings) -> str:
    """Return the e-mail address verified by OIDC; empty without one."""
    if not found.oidc or not st.user.is_logged_in:
        return ""
    return verified_email(st.user.to_dict())
