"""Errors on a page: what the machine lacks is said in words; a defect of ours stays one."""

from streamlit.testing.v1 import AppTest


def _full_disk():
    import errno
    import os

    import streamlit as st

    from capo_core.dashboard.ui.components import show_errors

    with show_errors():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    st.write("the rest of the page")


def _defect():
    from capo_core.dashboard.ui.components import show_errors

    with show_errors():
        raise ValueError("a defect")


def _pressed_on_a_full_disk():
    import errno
    import os

    import streamlit as st

    from capo_core.dashboard.app import page

    def act():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "w/locks/queue.lock")

    st.button("Stop", on_click=page.guarded, args=(act,))
    st.write(str(st.session_state.get(page._FAILED)))


def test_a_full_disk_is_said_and_the_page_goes_on():
    page = AppTest.from_function(_full_disk, default_timeout=240).run()
    assert not page.exception
    (told,) = page.error
    assert "The disk is full" in told.value and "What to do: free some space" in told.value
    assert page.markdown[-1].value == "the rest of the page"


def test_a_defect_is_not_hidden():
    page = AppTest.from_function(_defect, default_timeout=240).run()
    assert page.exception


def test_a_button_says_what_could_not_be_written():
    page = AppTest.from_function(_pressed_on_a_full_disk, default_timeout=240).run()
    page.button[0].click().run()
    assert not page.exception
    assert "queue.lock: the file cannot be read or written" in page.markdown[-1].value
