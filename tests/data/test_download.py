"""Downloads, against a server on this machine: nothing unchecked is kept."""

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.data_files import shared

from capo_core.data.download import fetch
from capo_core.data.formats.registry import FORMATS
from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.workspace import Workspace

BODY = b'{"a small": "file"}\n' * 9000


class Handler(BaseHTTPRequestHandler):
    """Each path is a way to go wrong."""

    def do_GET(self):
        body, status, claimed = BODY, 200, None
        if self.path == "/wrong":
            body = BODY[:-1] + b"!"
        elif self.path == "/longer":
            body = BODY + b"more"
        elif self.path == "/cut":
            body, claimed = BODY[:70_000], len(BODY)
        elif self.path == "/short":
            body = BODY[:100]
        elif self.path == "/gone":
            status = 404
        elif self.path == "/away":
            status = 302
        elif self.path == "/silent":
            self.server.release.wait(10)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://example.org/file")
        self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.release = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    varierr = FORMATS["varierr"]
    digest = hashlib.sha256(BODY).hexdigest()
    source = replace(varierr.download, size=len(BODY), sha256=digest)
    monkeypatch.setitem(FORMATS, "varierr", replace(varierr, download=source))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield f"http://127.0.0.1:{server.server_port}"
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "ws")


def kept(workspace):
    folder = workspace.root / "downloads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_sound_file_is_kept_and_progress_goes_from_0_to_1(server, workspace):
    shares = []
    path = fetch("varierr", workspace, lambda _, share: shares.append(share), url=f"{server}/ok")
    assert path.read_bytes() == BODY
    assert kept(workspace) == ["varierr.json"]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares) and len(shares) > 2


def test_a_file_that_is_there_is_not_downloaded_again(server, workspace):
    path = fetch("varierr", workspace, url=f"{server}/ok")
    assert fetch("varierr", workspace, url=f"{server}/gone") == path
    path.write_bytes(b"edited")  # but one that was changed is
    fetch("varierr", workspace, url=f"{server}/ok")
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/wrong", "not the one expected"),
        ("/longer", "larger than"),
        ("/cut", "connection ended"),
        ("/short", "connection ended after 100 of"),
        ("/gone", "server answered 404"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(server, workspace, path, words):
    with pytest.raises(DataError, match=words) as caught:
        fetch("varierr", workspace, url=server + path)
    assert "data import varierr.json" in str(caught.value)  # the way by hand
    assert kept(workspace) == []


def test_a_server_that_stays_silent(server, workspace):
    with pytest.raises(DataError, match="did not answer in time"):
        fetch("varierr", workspace, url=f"{server}/silent", timeout_s=0.2)


def test_a_download_that_takes_too_long(server, workspace):
    with pytest.raises(DataError, match="had not finished after"):
        fetch("varierr", workspace, url=f"{server}/ok", limit_s=-1)
    assert kept(workspace) == []


def test_no_connection_tells_how_to_import_by_hand(server, workspace):
    port = int(server.rsplit(":", 1)[1])
    with pytest.raises(DataError, match="no connection") as caught:
        fetch("varierr", workspace, url=f"http://127.0.0.1:{port % 60000 + 1}/x", timeout_s=2)
    assert "github.com/mainlp/VariErr-NLI" in str(caught.value)


def test_a_redirect_to_an_unsafe_address_is_not_followed(server, workspace):
    with pytest.raises(ConfigError, match="not https"):
        fetch("varierr", workspace, url=f"{server}/away")
    assert kept(workspace) == []


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "file:///etc/passwd", "ftp://x/y", "//x", "http://127.0.0.1.x/"]
)
def test_only_https_is_used(workspace, url):
    with pytest.raises(ConfigError, match="not https"):
        fetch("varierr", workspace, url=url)


def test_stopping_leaves_nothing(server, workspace):
    def stop(_, share):
        if share > 0:
            raise Stopped("stopped by the user")

    with pytest.raises(Stopped):
        fetch("varierr", workspace, stop, url=f"{server}/ok")
    assert kept(workspace) == []


def test_what_cannot_be_downloaded_says_where_to_get_it(workspace):
    with pytest.raises(DataError, match=r"le-wi-di\.github\.io") as caught:
        fetch("lewidi", workspace)
    assert "data import Paraphrase_train.json" in str(caught.value)
    with pytest.raises(ConfigError, match="'snli'"):
        fetch("snli", workspace)


def test_the_pinned_checksum_is_that_of_the_real_file():
    content = shared("varierr", "varierr.json").read_bytes()
    source = FORMATS["varierr"].download
    assert hashlib.sha256(content).hexdigest() == source.sha256
    assert len(content) == source.size
    assert source.url.startswith("https://raw.githubusercontent.com/mainlp/VariErr-NLI")
