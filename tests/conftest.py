"""Here so that tests of every folder find the helpers that lie beside this file.

Property tests draw the same cases in every run, so that a result can be repeated; new cases are
drawn with `CAPO_NEW_CASES=1`.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("new" if os.environ.get("CAPO_NEW_CASES") else "same")
