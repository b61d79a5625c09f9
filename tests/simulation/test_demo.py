"""The shipped demo: it can be made again, byte by byte, and says what it is."""

import hashlib
import json

import pytest

from capo_core.shipped import FOLDER
from capo_core.simulation.demo import COMMAND, CONFIGS, table
from capo_core.simulation.simulate import simulate


@pytest.mark.parametrize("name", CONFIGS)
def test_made_again_it_is_the_same(name):
    content = table(simulate(CONFIGS[name]))
    about = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(content).hexdigest() == about["sha256"]
    assert (FOLDER / f"{name}.csv").read_bytes() == content


@pytest.mark.parametrize("name", CONFIGS)
def test_it_says_that_it_is_simulated(name):
    about = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert about["simulated"] is True
    assert "imulated" in about["origin"]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert about["sha256"] in readme
    assert COMMAND in readme
    assert "imulated" in readme
