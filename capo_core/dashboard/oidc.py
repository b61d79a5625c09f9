"""Sign-in by OIDC as Streamlit does it: is it set up right, and for which address does it vouch?

Streamlit (`st.login`) talks to the provider, by Authlib: discovery, the code for a token, the
token's signature, issuer, audience and nonce. What is left to us is to read `[auth]` of
`.streamlit/secrets.toml` before somebody stands at a broken door, and not to take an address for a
person's that the provider does not call verified.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from capo_core.errors import ConfigError

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
