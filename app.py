"""The dashboard: `streamlit run app.py`."""

from capo_core.dashboard.app.main import main

main()
