"""The judge's desk on a page in a test: what it was given, and messages as a browser sends them."""

from __future__ import annotations

import json


def desk(app):
    """The desk on the page: its element and what it was given; None where there is none."""
    for each in app.get("bidi_component"):
        if each.proto.component_name == "desk":
            return each.proto, json.loads(each.proto.json or each.proto.mixed.json)
    return None


def send(app, act, number=[0], **message):  # noqa: B006 (counts all messages of the tests)
    """A message of the desk, as the browser sends it."""
    proto, given = desk(app)
    number[0] += 1
    whole = {"id": f"m{number[0]}", "act": act, "trial": given["trial"],
             "replaces": given["changing"], "answer": "", "confidence": "", "reason": "",
             "layout": "", "attempt": 0, **message}  # fmt: skip
    states = app._tree.get_widget_states()
    states.widgets.add(id=proto.id, json_value=json.dumps({"message": whole}))
    app._run(states)
    assert not app.exception
    return app
