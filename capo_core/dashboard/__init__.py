"""The only place, beside `pages/`, that knows Streamlit and Plotly."""
