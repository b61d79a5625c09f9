"""Where the focus of keyboard and screen reader is after a change of page or view."""

from __future__ import annotations

TITLE_HAS_IT = """title => {
  const has = document.activeElement;
  return has.tagName === "H1" && has.innerText.trim() === title;
}"""
LABEL = "document.activeElement.innerText.trim()"


def follow(page, name: str) -> None:
    """Follow a link by keyboard alone, once the focus is on it."""
    page.get_by_role("link", name=name, exact=True).first.focus()
    page.keyboard.press("Enter")


def test_a_new_page_has_the_focus_on_its_title(go, page):
    go("")
    assert page.evaluate("document.activeElement === document.body")  # the browser's own beginning
    for name in ("Annotators", "Studies", "Fine-tune"):
        follow(page, name)
        page.wait_for_function(TITLE_HAS_IT, arg=name)
    page.go_back()
    page.wait_for_function(TITLE_HAS_IT, arg="Studies")

    # From the title, the next stop of the keyboard is in the page and not in the menu again.
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('[data-testid=stMain]')")


def test_what_goes_with_its_view_hands_the_focus_to_the_title(go, page):
    go("data")
    page.get_by_role("radio", name="Import").click()
    page.get_by_role("button", name="Upload").last.focus()
    page.go_back()
    page.wait_for_function(TITLE_HAS_IT, arg="Data")


def test_a_choice_of_the_view_keeps_the_focus(go, page):
    go("annotators")
    page.get_by_role("radio", name="Compare two annotators").focus()
    page.keyboard.press("Space")
    page.wait_for_function("location.search.includes('view=two')")
    page.wait_for_timeout(1000)
    assert page.evaluate(LABEL) == "Compare two annotators"
