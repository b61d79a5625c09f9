"""From published data that are not there to a trained adapter, by one command each."""

import functools
import hashlib
import json
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.data_files import lewidi_item
from helpers.tiny_training import tiny_base
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data import download
from capo_core.data.catalog import Catalog
from capo_core.data.formats.registry import FORMATS
from capo_core.workspace import Workspace

PARTS = {"train": 14, "dev": 4, "test": 2}
LABELS = ("entailment", "neutral", "contradiction")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def nli(n, part):
    """An item as LeWiDi's VariErr has it: labels in a list as text, by two annotators."""
    first, second = LABELS[n % 3], LABELS[(n + 1) % 3]
    return lewidi_item(
        "Ann1,Ann2,Ann2", {"Ann1": first, "Ann2": f"{first},{second}"},
        [f"so {n}", f"as {n}", f"or {n}"],
        split=part, text={"context": f"The cat runs at {n}.", "statement": f"A cat is there {n}."},
        **{"annotation task": "natural language inference"},
    )  # fmt: skip


def paraphrase(n, part):
    return lewidi_item(
        "Ann1,Ann2", {"Ann1": str(n % 5), "Ann2": "-2"}, [f"so {n}", f"as {n}"], split=part,
        text={"Question1": f"Is it {n}?", "Question2": f"Is it {n + 1}?"},
    )  # fmt: skip


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Made-up parts of both datasets on a server of this machine, with their checksums."""
    folder = tmp_path / "served"
    folder.mkdir()
    bodies = {}
    for stem, item in (("VariErrNLI", nli), ("Paraphrase", paraphrase)):
        first = 0
        for part, size in PARTS.items():
            items = {str(n): item(n, part) for n in range(first, first + size)}
            bodies[f"{stem}_{part}.json"] = json.dumps(items).encode()
            first += size
        bodies[f"{stem}_annotators_meta.json"] = b'{"Ann1": {"Age": "26",}}'
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    known = FORMATS["lewidi"]
    sources = [
        replace(source, files=tuple(
            replace(file, size=len(body), sha256=hashlib.sha256(body).hexdigest())
            for file in source.files if (body := bodies.get(file.name)) is not None
        ))
        for source in known.downloads
    ]  # fmt: skip
    monkeypatch.setitem(FORMATS, "lewidi", replace(known, downloads=tuple(sources)))
    handler = functools.partial(Silent, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    whole, url = download.fetch, f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(
        download, "fetch", lambda *given, **more: whole(*given, **(more | {"url": url}))
    )
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["lewidi-varierr", "lewidi-paraphrase"])
def test_one_command_downloads_and_trains(name, served, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    base = tiny_base(tmp_path / "base")
    result = CliRunner().invoke(
        app,
        ["train", "sft", "--dataset", name, "--annotator", "Ann1", "--base", str(base), "--fetch",
         "--epochs", "1", "--json"],
    )  # fmt: skip
    assert result.exit_code == 0, (result.output, result.exception)
    (told,) = json.loads(result.stdout)
    assert told["target"] == "Ann1" and told["training_items"] == 14
    dataset = Catalog(Workspace(tmp_path / "ws")).load(name)
    assert dataset.items["split"].value_counts().to_dict() == {
        "train": 14, "validation": 4, "test": 2,
    }  # fmt: skip
    adapters = list((tmp_path / "ws" / "runs").rglob("*.safetensors"))
    assert adapters
