"""The dashboard: `streamlit run app.py`. Page configuration and navigation, nothing else."""

import streamlit as st

from capo_core.dashboard import house

st.set_page_config(page_title="CAPO Lab", layout="wide", initial_sidebar_state="expanded")
house.navigation().run()
