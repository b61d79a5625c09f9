"""The atlas as a file: opened without a server, it asks for nothing and is searched."""

from helpers.comparisons import experiment, world
from helpers.pages import make

from capo_core.atlas.page import write_atlas
from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace


def test_an_atlas_opens_from_a_file_asks_for_nothing_and_finds(page, tmp_path, monkeypatch):
    monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    workspace = Workspace(tmp_path)
    Catalog(workspace).add(make("mine"))
    path = write_atlas(workspace, "mine", tmp_path / "atlas.html").path
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{path.as_uri()}#items")
    page.get_by_text("24 of 24 items").wait_for()
    page.get_by_label("Search in texts").fill("number 7 is")
    page.get_by_text("1 of 24 item").wait_for()
    assert page.locator("article").count() == 1 and page.locator("mark").count() == 1
    page.get_by_label("Search in texts").fill("clearly")
    page.locator("article").nth(1).wait_for()
    assert page.locator("article").count() == page.locator("article:has(mark)").count() > 1
    dimmed = page.locator(".answer .input")
    assert page.get_by_label("Dim words").is_checked() and dimmed.count() > 0
    page.get_by_label("Dim words").uncheck()
    page.wait_for_function("!document.querySelector('.answer .input')")
    page.get_by_role("link", name="Annotators").click()
    page.get_by_role("heading", name="Annotator ann", exact=True).wait_for()
    page.locator("select[data-choice=who]").select_option("bob")
    page.get_by_role("heading", name="Annotator bob", exact=True).wait_for()
    assert not page.get_by_role("heading", name="Annotator ann", exact=True).is_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert asked == [path.as_uri() + "#items"] or asked == [path.as_uri()]


def test_what_only_looks_leaves_the_opened_item_open(page, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("CAPO_DATABASE_URL", raising=False)
    workspace, data = Workspace(tmp_path), world()
    Catalog(workspace).add(data)
    experiment(
        workspace, data,
        {"zero_shot": lambda target, item: f"Label: neutral\nExplanation: said of {item}"},
    )  # fmt: skip
    path = write_atlas(workspace, "mine", tmp_path / "atlas.html").path
    answered = data.items["item_id"].iloc[-1]
    page.goto(f"{path.as_uri()}#items?item={answered}")
    page.get_by_text("1 of 48 items").wait_for()
    page.get_by_label("Answers of methods").select_option(index=1)
    page.get_by_text(f"said of {answered}").first.wait_for()
    page.get_by_label("Dim words").uncheck()
    page.wait_for_function("!document.querySelector('.answer .input')")
    assert page.get_by_text("1 of 48 items").is_visible() and page.locator("article").count() == 1
    # All items, and another one, keep how they are shown.
    page.get_by_role("link", name="Show all items").click()
    page.locator("#found", has_text="48 of 48 items").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("Page 2 of 5").wait_for()
    page.locator("article h3 a").first.click()
    page.get_by_text("1 of 48 items").wait_for()
    assert not page.get_by_label("Dim words").is_checked()
    assert page.get_by_label("Answers of methods").input_value() == "0"
    # What chooses items shows all that fit.
    page.get_by_label("Annotators differ").check()
    page.wait_for_function("!location.hash.includes('item=')")
