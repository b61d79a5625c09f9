"""The workspace's folder, by the environment variable."""

import pytest

from capo_core.errors import ConfigError
from capo_core.workspace import Workspace


def test_a_path_that_is_none_is_refused_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPO_WORKSPACE", "~no-such-user-here/ws")
    with pytest.raises(ConfigError, match=r"CAPO_WORKSPACE is '~no-such-user-here/ws'.+Expected"):
        Workspace.default()


def test_a_home_folder_and_odd_letters_are_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CAPO_WORKSPACE", "~/my wörk … space")
    assert Workspace.default().root == (tmp_path / "my wörk … space").resolve()
