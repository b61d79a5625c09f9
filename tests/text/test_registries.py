"""The registries of reductions and representations, and the tables of docs/methods.md."""

from pathlib import Path

import pytest

from capo_core.errors import ConfigError
from capo_core.stability.controls import CONTROLS, control_title
from capo_core.text.reductions import REDUCTIONS, WRITTEN, find_reduction, reduction_title
from capo_core.text.representations import REPRESENTATIONS, representation_title

METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods.md"


def table_of(entries) -> str:
    """The rows of a table in docs/methods.md."""
    return "\n".join(f"| `{one.name}` | {one.title} | {one.description} |" for one in entries)


def test_each_is_listed_under_its_own_name_with_all_its_words():
    controls = [one.control for one in REDUCTIONS.values() if one.control]
    for registry in (REDUCTIONS, WRITTEN, REPRESENTATIONS, CONTROLS, {c.name: c for c in controls}):
        for name, one in registry.items():
            assert name == one.name
            assert one.title and one.description.endswith(".")
    titles = [one.title for one in (*REDUCTIONS.values(), *controls, *CONTROLS.values())]
    assert len(titles) == len(set(titles))
    for one in (*REDUCTIONS.values(), *REPRESENTATIONS.values()):
        assert one.in_words and one.in_words[0].islower()


def test_controls_are_found_by_name_and_unknown_names_stay():
    assert find_reduction("random_mask") is REDUCTIONS["mask_input"].control
    assert control_title("random_mask") == reduction_title("random_mask") == "Random words masked"
    assert control_title("label") == "Label only"
    for title in (control_title, reduction_title, representation_title):
        assert title("of_another_version") == "of_another_version"
    with pytest.raises(ConfigError, match="mask_input"):
        find_reduction("of_another_version")


@pytest.mark.parametrize(
    "entries",
    [REPRESENTATIONS.values(), REDUCTIONS.values(), CONTROLS.values(), WRITTEN.values()],
    ids=["representations", "reductions", "controls", "written"],
)
def test_the_methods_page_has_the_table(entries):
    rows = table_of(entries)
    assert rows in METHODS.read_text(encoding="utf-8"), f"docs/methods.md needs:\n{rows}"
