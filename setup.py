"""Packages that pyproject.toml cannot name: `data/` and `docs/` are carried as `_shipped`."""

from setuptools import find_namespace_packages, setup

SHIPPED = {
    "capo_core._shipped": "data",
    "capo_core._shipped.base": "data/base",
    "capo_core._shipped.docs": "docs",
    "capo_core._shipped.docs.guide": "docs/guide",
}

setup(
    packages=[*find_namespace_packages(include=["capo_core", "capo_core.*"]), *SHIPPED],
    package_dir=SHIPPED,
)
