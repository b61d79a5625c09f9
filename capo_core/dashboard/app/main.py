"""Entry point of the dashboard: page configuration and navigation."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app import access, navigation


def main() -> None:
    """Draw the page that the address names."""
    if access.is_owner():
        st.set_page_config(page_title="CAPO Lab", layout="wide", initial_sidebar_state="expanded")
    else:  # judges and strangers see no page names
        st.set_page_config(page_title="Judging", layout="wide", initial_sidebar_state="collapsed")
    navigation.navigation().run()
