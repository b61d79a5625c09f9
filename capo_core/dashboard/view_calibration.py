"""The calibration view: the same report on data whose truth is known."""

from __future__ import annotations

from capo_core.dashboard.components import Frame, heading, note


def show(frame: Frame, report, representation: str) -> None:
    heading("Does the method find what is there, and nothing where nothing is?")
    note("Not computed yet.")
