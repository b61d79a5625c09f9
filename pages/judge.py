"""Judge: one text after another, by a link; the only page that a judge has."""

from capo_core.dashboard.app import navigation
from capo_core.dashboard.judging import page

navigation.come_in_by_the_door()
page.show()
