"""The dashboard: `streamlit run app.py`. Page configuration and navigation, nothing else."""

import streamlit as st

from capo_core.dashboard.app import access, navigation

if access.is_owner():
    st.set_page_config(page_title="CAPO Lab", layout="wide", initial_sidebar_state="expanded")
else:  # judges and strangers are told nothing of the house
    st.set_page_config(page_title="Judging", layout="wide", initial_sidebar_state="collapsed")
navigation.navigation().run()
