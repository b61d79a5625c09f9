"""The sealed table: where each text comes from. Only the owner's path imports this module.

It has metadata of its own, so that from the tables a judge's path uses no way leads here.
"""

from __future__ import annotations

from sqlalchemy import MetaData

from capo_core.study import tables
from capo_core.study.store.models import NAMES, loaded

metadata = MetaData(naming_convention=NAMES)
sealed_sources = loaded("sealed_sources", tables.SEALED, metadata)
