"""Downloads, against a server on this machine: nothing unchecked is kept."""

import hashlib
import json
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.data_files import lewidi_item, shared

from capo_core.data import download
from capo_core.data.catalog import Catalog
from capo_core.data.download import fetch, fetch_dataset, load_or_fetch, sources_named
from capo_core.data.formats.registry import FORMATS, download_sources
from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.task import PARAPHRASE
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
        elif self.path.removeprefix("/lewidi/") in self.server.files:
            body = self.server.files[self.path.removeprefix("/lewidi/")]
        elif self.path == "/silent":
            self.server.release.wait(600)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://example.org/file")
        self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def with_content(format_, bodies):
    """The format with sources whose files are those that are given, under their names."""
    sources = []
    for source in format_.downloads:
        files = tuple(
            replace(file, size=len(body), sha256=hashlib.sha256(body).hexdigest())
            for file in source.files
            if (body := bodies.get(file.name)) is not None
        )
        if files:
            sources.append(replace(source, files=files))
    return replace(format_, downloads=tuple(sources))


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.release, server.files = threading.Event(), {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    varierr = FORMATS["varierr"]
    monkeypatch.setitem(FORMATS, "varierr", with_content(varierr, {"varierr.json": BODY}))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield f"http://127.0.0.1:{server.server_port}", server
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
    [path] = fetch(
        "varierr", workspace, lambda _, share: shares.append(share), url=f"{server[0]}/ok"
    )
    assert path.read_bytes() == BODY
    assert kept(workspace) == ["varierr.json"]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares) and len(shares) > 2


def test_a_file_that_is_there_is_not_downloaded_again(server, workspace):
    [path] = fetch("varierr", workspace, url=f"{server[0]}/ok")
    assert fetch("varierr", workspace, url=f"{server[0]}/gone") == [path]
    path.write_bytes(b"edited")  # but one that was changed is
    fetch("varierr", workspace, url=f"{server[0]}/ok")
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
        fetch("varierr", workspace, url=server[0] + path)
    assert "data import varierr.json" in str(caught.value)  # the way by hand
    assert kept(workspace) == []


def test_a_server_that_stays_silent(server, workspace):
    with pytest.raises(DataError, match="did not answer in time"):
        fetch("varierr", workspace, url=f"{server[0]}/silent", timeout_s=0.2)


def test_a_download_that_takes_too_long(server, workspace):
    with pytest.raises(DataError, match="had not finished after"):
        fetch("varierr", workspace, url=f"{server[0]}/ok", limit_s=-1)
    assert kept(workspace) == []


def test_no_connection_tells_how_to_import_by_hand(server, workspace):
    with socket.socket() as taken, pytest.raises(DataError, match="no connection") as caught:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        fetch("varierr", workspace, url=f"http://127.0.0.1:{taken.getsockname()[1]}/x")
    assert "github.com/mainlp/VariErr-NLI" in str(caught.value)


def test_a_redirect_to_an_unsafe_address_is_not_followed(server, workspace):
    with pytest.raises(ConfigError, match="not https"):
        fetch("varierr", workspace, url=f"{server[0]}/away")
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
        fetch("varierr", workspace, stop, url=f"{server[0]}/ok")
    assert kept(workspace) == []


LEWIDI = {
    "train": {"1": "3", "2": "-1"},
    "dev": {"3": "0"},
    "test": {"4": "5"},
}


@pytest.fixture
def lewidi(server, monkeypatch):
    """The address of a made-up LeWiDi Paraphrase, in three parts with metadata."""
    bodies = {"Paraphrase_annotators_meta.json": b'{"Ann1": {"Age": "26",}}'}
    for part, labels in LEWIDI.items():
        items = {
            number: lewidi_item("Ann1,Ann2", {"Ann1": label, "Ann2": "0"}, ["a", "b"], split=part,
                                text={"Question1": f"{number}?", "Question2": f"{number}!"})
            for number, label in labels.items()
        }  # fmt: skip
        bodies[f"Paraphrase_{part}.json"] = json.dumps(items).encode()
    monkeypatch.setitem(FORMATS, "lewidi", with_content(FORMATS["lewidi"], bodies))
    where, running = server
    running.files = bodies
    return f"{where}/lewidi"


def test_all_parts_come_in_as_one_dataset_with_their_splits(lewidi, workspace):
    shares = []
    read = fetch_dataset(
        "lewidi-paraphrase", workspace, lambda _, share: shares.append(share), url=lewidi
    )
    dataset, report = read.dataset, read.report
    assert dataset.name == "lewidi-paraphrase" and dataset.task == PARAPHRASE
    assert dataset.items.set_index("item_id")["split"].to_dict() == {
        "1": "train", "2": "train", "3": "validation", "4": "test",
    }  # fmt: skip
    assert (report.rows_read, report.rows_kept, report.people) == (8, 8, {"Ann1": {"Age": "26"}})
    assert any("licence: none stated" in n and "commit 45d7b06" in n for n in report.notes)
    assert shares[-1] == 1 and shares == sorted(shares)
    again = fetch_dataset(
        "lewidi-paraphrase", workspace, url=f"{lewidi}/gone", shares=(0.5, 0.5, 0)
    )
    assert again.dataset.items["split"].value_counts().to_dict() == {"train": 2, "validation": 2}


def test_one_wrong_file_of_several_stops_all(lewidi, server, workspace):
    server[1].files["Paraphrase_dev.json"] = b"{}"
    with pytest.raises(DataError, match="connection ended") as caught:
        fetch_dataset("lewidi-paraphrase", workspace, url=lewidi)
    told = str(caught.value)
    assert "Paraphrase_dev.json" in told and "LeWiDi_3-2025/Paraphrase" in told
    assert "data import Paraphrase_*.json --name lewidi-paraphrase" in told
    folder = workspace.root / "downloads" / "lewidi-paraphrase"
    assert [path.name for path in folder.iterdir()] == ["Paraphrase_train.json"]


def test_a_training_downloads_what_is_published_and_loads_what_is_there(
    lewidi, workspace, monkeypatch
):
    whole = download.fetch
    monkeypatch.setattr(
        download, "fetch", lambda *given, **more: whole(*given, **(more | {"url": lewidi}))
    )
    first = load_or_fetch("lewidi-paraphrase", workspace)
    monkeypatch.undo()
    assert load_or_fetch("lewidi-paraphrase", workspace).fingerprint == first.fingerprint
    with pytest.raises(DataError, match="download it") as caught:
        Catalog(workspace).load("lewidi-csc")
    assert caught.value.option == "data fetch lewidi-csc"


def test_a_group_is_each_of_its_datasets():
    names = ["lewidi-csc", "lewidi-mp", "lewidi-paraphrase", "lewidi-varierr"]
    assert [each.name for each in sources_named("lewidi")] == names
    assert [each.name for each in sources_named("varierr")] == ["varierr"]


def test_unknown_sources_and_files_that_are_no_dataset(workspace):
    with pytest.raises(ConfigError, match="'snli'"):
        fetch("snli", workspace)
    for unknown in ("snli", "lewid", ""):
        with pytest.raises(ConfigError) as caught:
            sources_named(unknown)
        for name in (*download_sources(), "lewidi (all of lewidi-…)"):
            assert name in caught.value.expected
    with pytest.raises(ConfigError, match="Expected: one of lewidi-csc"):
        fetch("lewidi", workspace)  # one source at a time
    with pytest.raises(ConfigError, match=r"no dataset.*label distributions") as caught:
        fetch_dataset("mjd", workspace)
    assert "distributions compare --file" in caught.value.option


@pytest.mark.parametrize("name", [*download_sources()])
def test_the_pinned_checksums_are_those_of_the_real_files(name):
    source = download_sources()[name]
    folder = {"varierr": "varierr", "mjd": "hjd"}.get(name, "lewidi")
    for file in source.files:
        content = shared(folder, file.name).read_bytes()
        assert (file.name, hashlib.sha256(content).hexdigest()) == (file.name, file.sha256)
        assert len(content) == file.size
        assert file.url.startswith("https://raw.githubusercontent.com/")
        assert file.url.endswith(".json")


@pytest.mark.parametrize(
    ("name", "items", "annotators", "annotations", "parts"),
    [
        ("lewidi-paraphrase", 500, 4, 2000, {"train": 400, "validation": 50, "test": 50}),
        ("lewidi-varierr", 488, 4, 1891, {"train": 388, "validation": 50, "test": 50}),
        ("lewidi-csc", 1408, 872, 0, {"validation": 704, "test": 704}),
    ],
)
def test_the_real_lewidi_files_as_fetched(name, items, annotators, annotations, parts, workspace):
    folder = workspace.root / "downloads" / name
    folder.mkdir(parents=True)
    for file in download_sources()[name].files:
        (folder / file.name).symlink_to(shared("lewidi", file.name))
    read = fetch_dataset(name, workspace, url="http://localhost:1/")  # nothing is downloaded
    dataset = read.dataset
    assert (len(dataset.items), len(dataset.annotators)) == (items, annotators)
    assert annotations in (0, len(dataset.annotations))
    assert dataset.items["split"].value_counts().to_dict() == parts
    assert len(read.report.rejected) == 0
