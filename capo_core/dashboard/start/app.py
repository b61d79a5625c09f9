"""The script that Streamlit runs, alone in its folder: Streamlit imports from the folder of its
script first, and reads its configuration there (`.streamlit/config.toml`)."""

from capo_core.dashboard.app.main import main

main()
