"""A small OIDC provider on loopback: discovery, keys, a page to choose an account, tokens.

It is strict where a provider is: client, secret, redirect address and code must be right, a code
is good once. Accounts differ in what their tokens say, and one in what signs them.
"""

from __future__ import annotations

import base64
import html
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "capo-test", "the client's secret, for a test"


@dataclass(frozen=True)
class Account:
    """Who can be chosen. claims: of the token, over what is usual; None leaves one out. forged:
    is the token signed by a key that is not the provider's?"""

    name: str
    claims: dict = field(default_factory=dict)
    forged: bool = False


class Provider:
    """Runs from `start` to `stop`. issuer: its address. redirect: where codes may be sent."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self.accounts, self.redirect = accounts, ""
        self.codes: dict[str, tuple[Account, str]] = {}
        self.refused: list[str] = []
        self.key = RSAKey.generate_key(2048, {"kid": "own"})
        self.other = RSAKey.generate_key(2048, {"kid": "own"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def metadata(self) -> dict:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(self, account: Account, nonce: str) -> str:
        now = int(time.time())
        usual = {
            "iss": self.issuer, "aud": CLIENT, "sub": account.name, "iat": now, "exp": now + 300,
            "nonce": nonce, "name": account.name, "email_verified": True,
        }  # fmt: skip
        claims = {k: v for k, v in (usual | account.claims).items() if v is not None}
        key = self.other if account.forged else self.key
        return jwt.encode({"alg": "RS256", "kid": "own"}, claims, key)

    def choices(self, asked: dict[str, str]) -> str:
        """The page on which a person chooses an account."""
        links = []
        for name in self.accounts:
            query = html.escape(urlencode(asked | {"account": name}))
            links.append(f'<p><a href="/chosen?{query}">{html.escape(name)}</a></p>')
        return "<h1>Who are you?</h1>" + "".join(links)

    def code(self, asked: dict[str, str]) -> str:
        """The address to go back to, with a code in it."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = (self.accounts[asked["account"]], asked.get("nonce", ""))
        return f"{self.redirect}?{urlencode({'code': code, 'state': asked['state']})}"

    def why_not(self, asked: dict[str, str]) -> str:
        """Why a request to sign in is refused; "" where it is not."""
        if asked.get("client_id") != CLIENT or asked.get("response_type") != "code":
            return "not this client"
        if asked.get("redirect_uri") != self.redirect:
            return "not a place to send people to"
        if "openid" not in asked.get("scope", "").split() or not asked.get("nonce"):
            return "no OIDC request"
        return "" if asked.get("state") else "no state"


def _handler(provider: Provider):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            match urlsplit(self.path).path:
                case "/.well-known/openid-configuration":
                    self._json(provider.metadata())
                case "/keys":
                    self._json({"keys": [provider.key.as_dict(private=False)]})
                case "/authorize" | "/chosen" as path:
                    if why := provider.why_not(asked):
                        provider.refused.append(why)
                        self._send(400, "text/plain", why)
                    elif path == "/authorize":
                        self._send(200, "text/html", provider.choices(asked))
                    else:
                        self.send_response(302)
                        self.send_header("Location", provider.code(asked))
                        self.end_headers()
                case _:
                    self._send(404, "text/plain", "not here")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = {k: v[0] for k, v in parse_qs(body).items()}
            user = self.headers.get("Authorization", "").removeprefix("Basic ")
            known = base64.b64decode(user).decode() == f"{CLIENT}:{SECRET}"
            issued = provider.codes.pop(asked.get("code", ""), None)
            if not known or issued is None or asked.get("redirect_uri") != provider.redirect:
                provider.refused.append("no token")
                self._json({"error": "invalid_grant"}, 400)
                return
            self._json(
                {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer",
                 "expires_in": 300, "id_token": provider.token(*issued)}
            )  # fmt: skip

        def _json(self, content: dict, status: int = 200) -> None:
            self._send(status, "application/json", json.dumps(content))

        def _send(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args) -> None:
            pass

    return Handler
