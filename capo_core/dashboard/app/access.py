"""Who is here: owner, judge or a stranger, as `study.roles` decides it from what a session knows.

A session that opens `/judge` is a judge's from then on, whoever opened it, and has fewer rights
by that, never more: whether its link is good, the judge's desk says at every step.

Sign-in by OIDC as Streamlit does it: is it set up right, and for which address does it vouch?

Streamlit (`st.login`) talks to the provider, by Authlib: discovery, the code for a token, the
token's signature, issuer, audience and nonce. What is left to us is to read `[auth]` of
`.streamlit/secrets.toml` before somebody stands at a broken door, and not to take an address for a
person's that the provider does not call verified.
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
SHORTEST_SECRET = 32  # who can guess it signs himself in as anybody
DEFAULT = "default"
WHERE = ".streamlit/secrets.toml, [auth]"


def providers(auth: Mapping[str, Any]) -> tuple[str, ...]:
    """Names for `st.login`: "default" for the one whose keys stand in `[auth]` itself, and those of
    the sections `[auth.NAME]`."""
    named = tuple(name for name, value in auth.items() if isinstance(value, Mapping))
    own = any(key in auth for key in OF_PROVIDER) and DEFAULT not in named
    return ((DEFAULT,) if own else ()) + tuple(n for n in named if n != "client_kwargs")


def check(auth: Mapping[str, Any]) -> None:
    """Raises: ConfigError: nobody could sign in with these settings, or anybody could."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"sign-in by OIDC is set up, and {' and '.join(missing)} is not installed",
            where=WHERE,
            todo=f"pip install {' '.join(missing)}",
        )
    if len(str(auth.get("cookie_secret", ""))) < SHORTEST_SECRET:
        raise ConfigError(
            "cookie_secret is missing or short: who guesses it signs in as anybody",
            where=WHERE,
            expected=f"{SHORTEST_SECRET} random characters or more",
            todo="make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    if not str(auth.get("redirect_uri", "")).endswith(CALLBACK):
        raise ConfigError(
            "redirect_uri is missing or is not where Streamlit waits for the provider's answer",
            where=WHERE,
            expected=f"the dashboard's own address with {CALLBACK} at its end",
        )
    names = providers(auth)
    if not names:
        raise ConfigError(
            "no provider is named", where=WHERE, expected=f"{', '.join(OF_PROVIDER)} in it"
        )
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
                f"the provider's name {name!r} has an underscore, which Streamlit does not take",
                where=WHERE,
            )


def verified_email(user: Mapping[str, Any]) -> str:
    """The address that the provider vouches for; empty where it names none, or does not say that
    it has verified it: some let anybody enter any address.

    Args:
        user: the claims of the token. `email_verified` is true or, from a few providers, "true".
    """
    said = user.get("email_verified", False)
    verified = said is True or (isinstance(said, str) and said.lower() == "true")
    return str(user.get("email") or "") if verified else ""


JUDGE_PATH = "judge"
TOKEN_KEY = "t"  # of the address of a judge's link
_BY_LINK = "who.by_link"
_PATH = "who.path"
_SIGNED_IN = "who.signed_in"
_PASS = "who.pass"
PASS_HOURS = 12  # a sign-in outlives a reload for so long, or until the server ends


def sign_in_ways(address: str | None = None) -> SignInSettings:
    """How an owner can come in, as server and environment are set.

    Args:
        address: where the server will listen, if not where its configuration says.
    """
    if address is None:
        address = st.get_option("server.address") or ""
    return SignInSettings.from_environment(address, oidc=has_oidc())


def has_oidc() -> bool:
    """Is sign-in by OIDC set up, in `[auth]` of `.streamlit/secrets.toml`?"""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def why_closed(address: str | None = None) -> ConfigError | None:
    """Why the house is open to nobody: the server listens where all who came would be owners, or
    the sign-in by OIDC is set up wrongly."""
    try:
        check_binding(sign_in_ways(address))
        if has_oidc():
            check(st.secrets["auth"])
    except ConfigError as error:
        return error
    return None


def role() -> str:
    """`OWNER`, `JUDGE` or `STRANGER`; all are strangers where the house is closed."""
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
    """Is somebody signed in by OIDC in this session, owner or not?"""
    return has_oidc() and bool(st.user.is_logged_in)


def needs_no_sign_in() -> bool:
    """Is whoever sits at this computer the owner, without being asked?"""
    found = sign_in_ways()
    return not found.password and not found.oidc


def is_owner() -> bool:
    return role() == OWNER


def is_judge() -> bool:
    return role() == JUDGE


def path() -> str:
    """The page that the session began with, as in the address; empty for the first one."""
    if _PATH not in st.session_state:
        # Asked for once: later, Streamlit's answer depends on which pages are registered.
        asked = urlsplit(st.context.url or "").path
        st.session_state[_PATH] = asked.rstrip("/").rpartition("/")[2]
    return st.session_state[_PATH]


def sign_in(password: str) -> bool:
    """Give the owner's password; from then on the session is the owner's, if it was right."""
    if not password_is_right(password, sign_in_ways()):
        return False
    token = new_token()
    _sign_ins()[hash_of(token)] = audit.now() + timedelta(hours=PASS_HOURS)
    st.session_state[_SIGNED_IN], st.session_state[_PASS] = True, token
    return True


def keep_signed_in() -> None:
    """Have the owner's tab keep the sign-in, for reloads; nothing where there was none."""
    if _PASS in st.session_state:
        tab_storage.store(tab_storage.PASS, st.session_state[_PASS])


def restore_sign_in() -> bool:
    """Has this tab kept a sign-in that still holds? Then the session is the owner's again."""
    token = tab_storage.request(tab_storage.PASS)
    until = _sign_ins().get(hash_of(token))
    if until is None or until <= audit.now() or not sign_in_ways().password:
        return False
    st.session_state[_SIGNED_IN], st.session_state[_PASS] = True, token
    return True


@st.cache_resource(show_spinner=False)
def _sign_ins() -> dict[str, datetime]:
    """Hash of a sign-in's token → until when it holds; gone with the server's process."""
    return {}


def caller() -> str:
    """Whom refusals are counted against: an address, as the nearest we know of.

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
    """Of the request. Where there is none at all, no network lies between: the page runs in a
    test or by hand, for a WebSocket cannot be opened without headers."""
    return st.context.headers.to_dict() or {"Host": "localhost"}


def _email(found: SignInSettings) -> str:
    """The address that OIDC vouches for; empty where it does not."""
    if not found.oidc or not st.user.is_logged_in:
        return ""
    return verified_email(st.user.to_dict())
