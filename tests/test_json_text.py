"""JSON is written in one place, and never with NaN or Infinity."""

import ast
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from capo_core.cli.support import print_json
from capo_core.json_text import canonical_json, json_line, json_text, plain
from capo_core.run_folder import RunFolder
from capo_core.workspace import write_json

ROOT = Path(__file__).resolve().parents[1] / "capo_core"

# Where `json.dumps` writes no JSON that anybody reads; this list only gets shorter.
ELSEWHERE = {
    "workspace.py": "content_hash: a hash",
    "dataset.py": "fingerprint: a hash",
    "imitation/models/adapters.py": "a hash",
    "imitation/models/gguf.py": "handed to a tokenizer, as it came from one",
    "imitation/models/tensor_file.py": "the header of a safetensors file",
    "imitation/backends/openai.py": "a server's error, as it came",
    "data/readers/delimited.py": "a skipped row, as it stood in the file",
    "data/readers/encoding.py": "a value, as it stood in the file",
    "data/readers/json_records.py": "a skipped row, as it stood in the file",
    "data/formats/lewidi.py": "a skipped row, as it stood in the file",
    "data/validation.py": "a text, as it stood in the file",
}


def writers(path: Path) -> set[str]:
    """The calls in a file that write JSON by another way than `json_text`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of = getattr(node.func.value, "id", "")
        if node.func.attr in ("dump", "dumps") and of in ("json", "orjson", "simplejson"):
            found.add(f"{of}.{node.func.attr}")
        if node.func.attr == "to_json" and of != "self" and "terms" not in of:
            found.add(".to_json")
    return found


def test_json_is_written_in_one_place():
    found = {
        str(path.relative_to(ROOT)): writers(path)
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "json_text.py" and writers(path)
    }
    assert sorted(found.keys() - ELSEWHERE.keys()) == [], "use capo_core.json_text"
    assert sorted(ELSEWHERE.keys() - found.keys()) == [], "take these out of ELSEWHERE"


BAD = {
    "nan": math.nan,
    "inside": [{"low": -math.inf, "high": np.float32("inf")}],
    "array": np.array([1.5, np.nan]),
    "whole": np.int64(3),
    "missing": (pd.NaT, pd.NA, None),
    "when": datetime(2026, 1, 2, tzinfo=UTC),
}
GOOD = {
    "nan": None,
    "inside": [{"low": None, "high": None}],
    "array": [1.5, None],
    "whole": 3,
    "missing": [None, None, None],
    "when": "2026-01-02T00:00:00+00:00",
}


def refuse(name: str):
    raise AssertionError(f"{name} is no JSON")


def read(text: str):
    return json.loads(text, parse_constant=refuse)


def test_what_is_not_finite_is_null():
    assert plain(BAD) == GOOD
    for write in (json_text, json_line, canonical_json):
        assert read(write(BAD)) == GOOD
    assert "\n" not in json_line(BAD)
    assert read(json_text({"ä": "ß"}, ascii_only=True)) == {"ä": "ß"}
    assert json_text("ä", ascii_only=True).isascii()


def test_what_is_no_json_is_an_error_and_no_text():
    with pytest.raises(TypeError):
        json_text({"a": object()})


def test_all_files_and_outputs_of_json_go_through_it(tmp_path, capsys):
    write_json(tmp_path / "a.json", BAD)
    assert read((tmp_path / "a.json").read_text("utf-8")) == GOOD
    print_json(BAD)
    assert read(capsys.readouterr().out) == GOOD
    folder = RunFolder(tmp_path)
    folder.log("step", loss=math.nan, parts=[math.inf])
    folder.finish(BAD)
    assert read(folder.events_path.read_text("utf-8"))["parts"] == [None]
    assert folder.result == GOOD
