"""A look before the start: what an experiment's runs need, from one dry step of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.ui.components import show_note
from capo_core.dashboard.ui.job_progress import show_outcome
from capo_core.dashboard.ui.text import markdown
from capo_core.formatting import count, duration, size
from capo_core.imitation.prompting.prompts import METHOD_TITLES, METHODS
from capo_core.runs import submit
from capo_core.runs.experiments.plan import PlannedRun
from capo_core.runs.preflight import report
from capo_core.runs.preflight.report import Preflight
from capo_core.runs.run import Run
from capo_core.runs.summary import STAGE_NAMES, shortened_list
from capo_core.workspace import Workspace

EVERY_S = 1.5
_LOOKING = "finetune.looking"  # looks that are still wanted, one after the other


_KINDS = {
    "profile": "profiles",
    "train_sft": "SFT",
    "train_capo": "CAPO",
    "generate": "generation",
    "evaluate": "evaluation",
    "judge": "the LLM judge",
    "retention": "retention",
}


@dataclass(frozen=True)
class PreflightTarget:
    """A kind of run of an experiment, with its representative run."""

    planned: PlannedRun

    @property
    def asked(self) -> dict:
        """Return the request of a "preflight" job."""
        return {"kind": self.planned.request.kind, "settings": self.planned.request.settings}

    @property
    def title(self) -> str:
        request = self.planned.request
        if request.kind == "generate":
            return f"Generate: {METHOD_TITLES[self.planned.method]}"
        return f"{STAGE_NAMES[request.kind]} for {request.settings['target']}"

    def found(self, workspace: Workspace) -> Preflight | None:
        return report.saved_preflight(workspace, self.asked["kind"], self.asked["settings"])

    def job(self, workspace: Workspace) -> Run | None:
        return submit.find_begun(workspace, "preflight", self.asked)


def show(context: PageContext, planned: Sequence[PlannedRun]) -> bool:
    """Show the result of the check, or its button; return True where the experiment cannot run."""
    workspace = context.workspace
    looks = looks_of(planned)
    found = [look.found(workspace) for look in looks]
    jobs = [look.job(workspace) for look in looks]
    live = next((job for job in jobs if job is not None and job.status().live), None)
    for look, each, job in zip(looks, found, jobs, strict=True):
        if job is not None and job is not live and each is None:
            show_outcome(job)
        if each is not None:
            _one(look, each)
    there = [each for each in found if each is not None]
    if there:
        show_note(_together(planned, looks, found))
    if live is not None:
        st.fragment(_watch, run_every=EVERY_S)(workspace, looks, live)
    else:
        first = "Run pre-flight check" if not there else "Repeat pre-flight check"
        st.button(
            first if len(there) in (0, len(looks)) else "Check the rest",
            key="finetune.look",
            on_click=guarded,
            args=(_begin, workspace, looks, len(there) == len(looks)),
            help="Runs one step of each kind of run in a separate process and reports memory, "
            "time, disk space and truncation. About half a minute for a small base model.",
        )
    return any(not each.possible for each in there)


def looks_of(planned: Sequence[PlannedRun]) -> list[PreflightTarget]:
    """Return the runs to check: the first training of each stage, and the answers with the longest
    prompts."""
    found = []
    for kind in STAGE_NAMES:
        found += [each for each in planned if each.request.kind == kind][:1]
    answers = [each for each in planned if each.request.kind == "generate"]
    in_context = [each for each in answers if METHODS[each.method].examples]
    return [PreflightTarget(each) for each in [*found, *(in_context or answers)[:1]]]


def _begin(workspace: Workspace, looks: Sequence[PreflightTarget], again: bool) -> None:
    wanted = [look for look in looks if again or look.found(workspace) is None]
    for look in looks:
        # CAPO begins with an adapter whose training is only planned yet.
        report.announce_request(workspace, look.planned.run_id, look.planned.request)
    st.session_state[_LOOKING] = [look.asked for look in wanted[1:]]
    submit.begin(workspace, "preflight", wanted[0].asked)


def _watch(workspace: Workspace, looks: Sequence[PreflightTarget], job: Run) -> None:
    status = job.status()
    if not status.live:
        # One after the other: side by side they would measure each other.
        waiting = st.session_state.get(_LOOKING, [])
        if waiting and status.state == "succeeded":
            st.session_state[_LOOKING] = waiting[1:]
            submit.begin(workspace, "preflight", waiting[0])
        st.rerun()
    asked = job.config["settings"]
    place = next((n for n, look in enumerate(looks) if look.asked == asked), 0)
    st.progress(
        (place + 0.5) / len(looks),
        text=markdown(f"Checking {looks[place].title}: {status.message}"),
    )


def _one(look: PreflightTarget, found: Preflight) -> None:
    st.markdown(f"**{markdown(look.title)}**")
    for problem in found.problems:
        todo = f"\n\nFix: {markdown(problem.todo)}." if problem.todo else ""
        st.error(f"**Cannot run:** {markdown(problem.what)}.{todo}")
    for warning in found.warnings:
        st.warning(markdown(warning))
    show_note(" ".join(found.estimates))


def _together(
    planned: Sequence[PlannedRun],
    looks: Sequence[PreflightTarget],
    found: Sequence[Preflight | None],
) -> str:
    """Return time, memory and disk of all runs, each from the checked run of its kind."""
    by_kind = {
        look.asked["kind"]: each
        for look, each in zip(looks, found, strict=True)
        if each is not None
    }
    known = [by_kind[each.request.kind] for each in planned if each.request.kind in by_kind]
    seconds = sum(each.seconds or 0 for each in known)
    disk = sum(each.disk_bytes or 0 for each in known)
    memory = max((each.memory_bytes or 0 for each in known), default=0)
    missing = sorted(
        {_KINDS[each.request.kind] for each in planned if each.request.kind not in by_kind}
    )
    parts = [f"In total about {duration(seconds)} for {count(len(known), 'run')}"]
    if missing:
        parts.append(f"without {shortened_list(missing)}, which cannot be estimated")
    if memory:
        parts.append(f"at most {size(memory)} of memory at once")
    return f"{', '.join(parts)}; {size(disk)} of disk space."
