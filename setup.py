"""What pyproject.toml cannot say: the folder `data/` is carried as the package `_shipped`."""

from setuptools import find_namespace_packages, setup

SHIPPED = {"capo_core._shipped": "data", "capo_core._shipped.base": "data/base"}

setup(
    packages=[*find_namespace_packages(include=["capo_core", "capo_core.*"]), *SHIPPED],
    package_dir=SHIPPED,
    package_data={
        "capo_core._shipped": ["*.csv", "*.json", "*.md"],
        "capo_core._shipped.base": ["*.json", "*.safetensors", "*.md"],
        "capo_core.dashboard.start": [".streamlit/config.toml"],
        "": ["templates/*.j2", "templates/*.css", "styles/*.css", "vocabulary/*.json"],
    },
)
