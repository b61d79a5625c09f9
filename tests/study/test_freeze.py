"""A frozen study is what it was, or it is said what changed."""

from __future__ import annotations

import json
import stat

import pandas as pd
import pytest
from helpers.study_designs import small_dataset, small_design, small_draft

from capo_core.dashboard.studies import data
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, StudyError
from capo_core.study import tables
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze

NAME = "handmade-study"


@pytest.fixture(scope="module")
def draft():
    return small_draft(
        small_design(name=NAME, judges=4, trials_per_judge=6, judgments_per_trial=2), 40
    )


@pytest.fixture
def made(workspace, draft):
    Catalog(workspace).add(small_dataset(40))
    assert design_draft.create(workspace, draft) == NAME
    return workspace


def folder(workspace):
    return design_draft.folder_of(workspace, NAME)


def test_a_draft_comes_back_as_it_was(made, draft):
    again = design_draft.load(made, NAME)
    assert (again.config, again.notes, again.left_out) == (
        draft.config, draft.notes, draft.left_out
    )  # fmt: skip
    for name, frame in design_draft.tables_of(draft).items():
        pd.testing.assert_frame_equal(getattr(again, name), frame, check_dtype=False)
    assert freeze.parts_of(again) == freeze.parts_of(draft)
    assert design_draft.names(made) == [NAME]


def test_sources_can_be_read_by_the_owner_alone(made):
    def mode(name):
        return stat.S_IMODE((folder(made) / name).stat().st_mode)

    assert mode("sealed.parquet") == 0o600
    freeze.freeze(made, NAME)
    assert mode("sealed.parquet") == 0o400
    assert not any(mode(f"{t.name}.parquet") & 0o222 for t in design_draft.TABLES)


def test_a_frozen_study_holds(made):
    frozen = freeze.freeze(made, NAME)
    assert freeze.verify(made, NAME) == frozen == freeze.freeze(made, NAME)
    assert freeze.is_frozen(made, NAME)
    assert set(frozen.parts) == {"design", *(table.name for table in design_draft.TABLES)}


def test_the_hash_is_of_contents_and_of_nothing_else(made, draft):
    first = freeze.freeze(made, NAME).hash
    shuffled = draft.texts.sample(frac=1, random_state=1)
    assert freeze.parts_of(draft)["texts"] == freeze._rows_hash(shuffled, tables.TEXTS)
    other = small_draft(draft.config.with_changes(planned_analysis="Something else."), 40)
    assert freeze.parts_of(other)["design"] != freeze.parts_of(draft)["design"]
    assert freeze.parts_of(other)["texts"] == freeze.parts_of(draft)["texts"]
    assert len(first) == 64
    # The list of studies has it from now on, before anybody is invited.
    seen = data.see(made, None, NAME)
    assert (seen.stage, seen.frozen_hash) == (data.FROZEN, first)
    assert freeze.hash_of(made, NAME) == first


def test_a_draft_that_is_not_frozen_does_not_verify(made):
    with pytest.raises(StudyError, match="not frozen"):
        freeze.verify(made, NAME)
    with pytest.raises(StudyError, match="no study named"):
        freeze.freeze(made, "another")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("trials", "target_annotator_id", "bob"),
        ("texts", "explanation", "it was never said"),
        ("cards", "examples", "[]"),
        ("assignments", "position", 99),
        ("sealed", "source", "capo"),
        ("sealed", "truth", "bob"),
        ("feedback", "answer", "bob"),
    ],
)
def test_a_changed_cell_is_found(made, table, column, value):
    freeze.freeze(made, NAME)
    path = folder(made) / f"{table}.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, column] = value if frame.loc[0, column] != value else "ann"
    path.chmod(0o600)
    frame.to_parquet(path, index=False)
    with pytest.raises(StudyError, match=f"changed after it was frozen: {table}"):
        freeze.verify(made, NAME)


def test_a_row_taken_out_is_found(made):
    freeze.freeze(made, NAME)
    path = folder(made) / "assignments.parquet"
    path.chmod(0o600)
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    with pytest.raises(StudyError, match="assignments"):
        freeze.verify(made, NAME)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("design.json", lambda raw: raw["config"].update(planned_analysis="as it turned out")),
        ("design.json", lambda raw: raw["config"].update(seed=7)),
        ("frozen.json", lambda raw: raw["parts"].update(texts="0" * 64)),
        ("frozen.json", lambda raw: raw.update(hash="0" * 64)),
    ],
)
def test_a_changed_design_or_hash_is_found(made, name, change):
    freeze.freeze(made, NAME)
    path = folder(made) / name
    raw = json.loads(path.read_text())
    change(raw)
    path.chmod(0o600)
    path.write_text(json.dumps(raw))
    with pytest.raises(StudyError, match="changed after it was frozen"):
        freeze.verify(made, NAME)


def test_damaged_files_are_said_to_be(made):
    (folder(made) / "texts.parquet").write_bytes(b"not a table")
    with pytest.raises(StudyError, match="cannot be read"):
        design_draft.load(made, NAME)
    (folder(made) / "design.json").write_text("[1, 2]")
    with pytest.raises(StudyError, match="JSON object"):
        design_draft.load(made, NAME)
    (folder(made) / "design.json").write_text("{}")
    with pytest.raises(StudyError, match="damaged"):
        design_draft.load(made, NAME)


def test_a_draft_can_be_replaced_and_a_frozen_study_cannot(made, draft):
    with pytest.raises(StudyError, match="there is a study named"):
        design_draft.create(made, draft)
    design_draft.create(made, draft, replace=True)
    freeze.freeze(made, NAME)
    with pytest.raises(StudyError, match="is frozen"):
        design_draft.create(made, draft, replace=True)
    freeze.verify(made, NAME)


def test_data_that_changed_since_the_draw_cannot_be_frozen(made):
    Catalog(made).add(small_dataset(41), replace=True)
    with pytest.raises(StudyError, match="changed since the study was drawn"):
        freeze.freeze(made, NAME)


def test_leaks_must_be_accepted_and_are_frozen_too(workspace, draft):
    Catalog(workspace).add(small_dataset(40))
    telling = draft.texts.copy()
    telling.loc[3, "explanation"] = "As an AI, yes"
    parts = {f: getattr(draft, f) for f in draft.__dataclass_fields__} | {"texts": telling}
    design_draft.create(workspace, type(draft)(**parts))
    with pytest.raises(StudyError, match="boilerplate in 1 texts"):
        freeze.freeze(workspace, NAME)
    assert not freeze.is_frozen(workspace, NAME)
    assert freeze.freeze(workspace, NAME, accept_leaks=True).leaks == {"boilerplate": 1}


def test_a_name_that_is_no_name_is_refused(workspace):
    for name in ("../up", "", "a/b"):
        with pytest.raises(ConfigError):
            design_draft.folder_of(workspace, name)
