"""Judge: one text after another, by a link; the only page that a judge has."""

from capo_core.dashboard import house, view_judge

house.come_in_by_the_door()
view_judge.show()
