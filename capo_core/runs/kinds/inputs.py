"""The inputs that the settings of a run name: the dataset and the model."""

from __future__ import annotations

from capo_core.errors import DataError
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.runs.checks import Settings
from capo_core.workspace import Workspace


def load_dataset(settings: Settings, workspace: Workspace):
    """Return the dataset of a run.

    Raises:
        DataError: it has changed since the run was requested.
    """
    from capo_core.data.catalog import Catalog

    dataset = Catalog(workspace).load(settings["dataset"])
    if settings.get("fingerprint") and dataset.fingerprint != settings["fingerprint"]:
        raise DataError(
            f"the dataset '{dataset.name}' has changed since the run was requested",
            todo="submit the run again",
        )
    return dataset


def backend_of(settings: Settings):
    """Return the generating model: the server's if one is set, else one on this machine.

    The server's address and key come from the environment of the process, never from a file.
    """
    if settings.get("server"):
        from capo_core.imitation.backends.openai import ServerBackend, from_environment

        return ServerBackend(from_environment(settings["server"]))
    from capo_core.imitation.backends.transformers import TransformersBackend
    from capo_core.imitation.models.base_model import load_base_model

    base = load_base_model(settings["base"], precision=settings.get("precision", "auto"))
    return TransformersBackend(base, batch_tokens=settings.get("batch_tokens", BATCH_TOKENS))
