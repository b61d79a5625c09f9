"""The import form: how files are read, several files of one dataset, and what it warns of."""

import io
import json

import openpyxl
import pytest
from helpers.data_files import lewidi_item
from helpers.pages import open_page, shown
from helpers.run_folders import put_run, sft_settings

from capo_core.dashboard.data import import_form
from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset


def test_uploads_of_one_dataset_are_joined(workspace):
    app = open_page("data", view="import")
    files = [
        (f"Paraphrase_{part}.json", json.dumps({
            f"q{n}": lewidi_item("Ann1,Ann2", {"Ann1": "1", "Ann2": "-2"}, ["why", f"because {n}"],
                                 text={"Question1": f"What is {n}?", "Question2": "Is it?"},
                                 split="")
        }).encode(), "application/json")
        for n, part in enumerate(("train", "dev", "test"))
    ]  # fmt: skip
    meta = json.dumps({"Ann1": {"Age": "26"}}).encode()
    files.append(("Paraphrase_annotators_meta.json", meta, "application/json"))
    app.file_uploader[0].set_value(files)
    app.run()
    assert not app.exception
    assert app.text_input[0].value == "Paraphrase"
    assert "3 items, 2 annotators, 6 annotations" in shown(app)
    app.button(key="import.add").click().run()
    assert not app.exception
    dataset = Catalog(workspace).load("Paraphrase")
    parts = dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))
    assert parts == {"q0": "train", "q1": "validation", "q2": "test"}
    assert Catalog(workspace).report("Paraphrase").people == {"Ann1": {"Age": "26"}}


HEADER = ("item_id", "annotator_id", "label", "text")
ROWS = [(str(n), who, label, f"Лампа {n}") for n in range(3)
        for who, label in (("ann", "yes"), ("ben", "no"))]  # fmt: skip


def _upload(name: str, content: bytes):
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([(name, content, "text/plain")])
    return app.run()


def _choice(app, label: str):
    return next(each for each in app.selectbox if each.label == label)


def test_the_sheet_with_the_annotations_is_chosen(workspace):
    """Finding: a workbook whose first sheet is a description could not be imported here."""
    book = openpyxl.Workbook()
    book.active.title = "Readme"
    for row in (("About", "Year"), ("This workbook holds annotations", 2024)):
        book.active.append(row)
    sheet = book.create_sheet("Votes")
    for row in (HEADER, *ROWS):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    app = _upload("votes.xlsx", file.getvalue())
    assert not app.exception
    assert "Choose a column for Annotator and Label" in " ".join(each.value for each in app.info)
    assert not {"Text encoding", "Delimiter"} & {each.label for each in app.selectbox}
    _choice(app, "Sheet").set_value("Votes").run()
    assert not app.exception and not app.error and not app.info
    assert "3 items, 2 annotators, 6 annotations" in shown(app)
    app.button(key="import.add").click().run()
    assert not app.exception
    assert Catalog(workspace).report("votes").sheet == "Votes"


def test_all_sheets_are_read_as_files(workspace):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for who in ("ann", "ben"):
        sheet = book.create_sheet(who)
        sheet.append((HEADER[0], *HEADER[2:]))
        for n, writer, *rest in ROWS:
            if writer == who:
                sheet.append((n, *rest))
    file = io.BytesIO()
    book.save(file)
    app = _upload("votes.xlsx", file.getvalue())
    _choice(app, "Sheet").set_value("all").run()
    next(each for each in app.text_input if each.label.startswith("Annotator of")).set_value("file")
    app.run()
    assert not app.exception and not app.error and not app.info
    assert "3 items, 2 annotators, 6 annotations" in shown(app)


def test_a_wrongly_guessed_encoding_and_delimiter_are_corrected(workspace):
    """Finding: only the command line could correct them."""
    content = "\n".join("\t".join(row) for row in (HEADER, *ROWS)).encode("koi8-r")
    app = _upload("votes.txt", content)
    assert not app.exception and "encoding was guessed" in shown(app).lower()
    assert "Sheet" not in {each.label for each in app.selectbox}
    _choice(app, "Text encoding").set_value("utf-8").run()
    told = " ".join(each.value for each in app.error)
    told = told.replace("\\", "")
    assert "is not utf-8" in told and "(above, in “Text encoding”)" in told
    _choice(app, "Text encoding").set_value("koi8-r").run()
    _choice(app, "Delimiter").set_value(";").run()
    assert not app.exception and "Choose a column" in " ".join(each.value for each in app.info)
    _choice(app, "Delimiter").set_value("\t").run()
    assert not app.exception and not app.error and not app.info
    assert "Лампа 0" in shown(app)
    app.button(key="import.add").click().run()
    report = Catalog(workspace).report("votes")
    assert (report.encoding, report.delimiter) == ("koi8-r", "\t")
    assert Catalog(workspace).load("votes").items["text_a"].tolist() == [
        "Лампа 0", "Лампа 1", "Лампа 2"
    ]  # fmt: skip


@pytest.mark.parametrize("name", import_form._ENCODINGS)
def test_offered_encodings_exist(name):
    assert "yes".encode(name).decode(name) == "yes"


def test_a_file_that_is_here_already_is_named(workspace):
    rows = ["item_id,annotator_id,label,text", "1,A,yes,T", "1,B,no,T", "2,A,yes,U"]
    file = ("votes.csv", "\n".join(rows).encode(), "text/csv")
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([file]).run()
    app.button(key="import.add").click().run()
    again = open_page("data", view="import")
    again.file_uploader[0].set_value([file]).run()
    assert not again.exception
    said = " ".join(each.value for each in again.info)
    assert "votes, which is in this workspace already" in said


def test_several_labels_in_a_cell_are_asked_about(workspace):
    app = open_page("data", view="import")
    rows = ["item_id,annotator_id,label,text", "1,A,joy,T", "1,B,joy;anger,T", "2,A,anger,U"]
    app.file_uploader[0].set_value([("votes.csv", "\n".join(rows).encode(), "text/csv")])
    app.run()
    assert not app.exception
    assert "several labels in one cell" in " ".join(each.value for each in app.error)
    choice = next(each for each in app.selectbox if each.label == "Several labels in a cell")
    choice.set_value("each").run()
    assert not app.exception and not app.error
    assert "2 items, 2 annotators, 4 annotations" in shown(app)


def test_crowd_counts_are_added_and_pages_say_what_needs_annotators(workspace):
    app = open_page("data", view="import")
    rows = [
        {"uid": f"{n}n", "label_counter": {"e": 60 + n, "n": 40 - n},
         "example": {"premise": f"A lamp {n}.", "hypothesis": "It is green."}}
        for n in range(3)
    ]  # fmt: skip
    content = "\n".join(json.dumps(row) for row in rows).encode()
    app.file_uploader[0].set_value([("crowd.jsonl", content, "application/jsonl")])
    app.run()
    assert not app.exception
    assert "3 items, 300 crowd labels, no annotators" in shown(app)
    assert "Crowd: entailment 60, neutral 40, contradiction 0." in shown(app)
    app.button(key="import.add").click().run()
    assert not app.exception
    assert "One row per item, with an object of labels and numbers of people" in shown(app)
    keys = {each.key for each in app.get("download_button")}
    assert {f"data.export.crowd.{kind}" for kind in ("csv", "jsonl", "parquet")} <= keys
    assert "Crowd labels" in shown(app) and "Annotations per annotator" not in shown(app)
    for page in ("overview", "annotators", "stability", "finetune", "compare", "studies"):
        app = open_page(page, dataset="crowd")
        assert not app.exception, page
        assert "crowd has no annotators" in shown(app), page
    app = open_page("distributions", dataset="crowd")
    assert not app.exception
    assert "has no annotators" not in shown(app)


def test_addresses_are_pointed_out_and_pseudonyms_offered(workspace):
    rows = [f"{n},Text {n},{who}@lab.example,{label},so" for n in range(2)
            for who, label in (("zoe", "yes"), ("ann", "no"))]  # fmt: skip
    rows += [f"{n},Text {n},gold,yes," for n in range(2)]
    content = "\n".join(["item_id,text,annotator_id,label,reason", *rows]).encode()
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([("votes.csv", content, "text/csv")])
    app.run()
    told = " ".join(each.value for each in app.warning)
    assert "look like e-mail addresses. Choose “Pseudonyms” above" in told
    assert "By its name no person, but an aggregate" in told and "'gold'" in told
    assert "--pseudonyms" not in shown(app)
    next(each for each in app.checkbox if each.label.startswith("Pseudonyms")).check().run()
    assert not app.exception and "lab.example" not in shown(app)
    app.button(key="import.add").click().run()
    assert not app.exception
    assert Catalog(workspace).load("votes").annotators == ("A1", "A2", "A3")
    assert "Annotators are pseudonyms. The key is in" in shown(app)


def test_files_of_two_annotators_and_the_label_of_a_tool(workspace):
    app = open_page("data", view="import")
    files = [
        (f"{who}.csv", f"item_id,text,label,reason\n1,A lamp.,{label},so\n".encode(), "text/csv")
        for who, label in (("ann", "yes"), ("ben", "no"))
    ]
    app.file_uploader[0].set_value(files)
    app.run()
    assert not app.exception
    assert not app.error
    told = " ".join(each.value for each in app.info)
    assert "Choose a column for Annotator, or enter above whose rows these are" in told
    box = next(each for each in app.checkbox if "from the files" in each.label)
    box.check().run()
    assert not app.exception and not app.error
    assert "1 item, 2 annotators, 2 annotations" in shown(app)

    results = [
        {"from_name": name, "type": "choices", "value": {"choices": [value]}}
        for name, value in (("mood", "good"), ("topic", "light"))
    ]
    task = {"id": 1, "data": {"text": "A lamp."},
            "annotations": [{"completed_by": n, "result": results} for n in (1, 2)]}  # fmt: skip
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([("p.json", json.dumps([task]).encode(), "application/json")])
    app.run()
    assert not app.exception
    assert "2 questions could be the label" in " ".join(each.value for each in app.error)
    choice = next(each for each in app.selectbox if each.label == "Label")
    choice.set_value("topic").run()
    assert not app.exception and not app.error
    assert "labels light" in shown(app)


def test_the_mapping_shows_values_and_what_will_not_work_and_the_split_is_chosen(workspace):
    app = open_page("data", view="import")
    rows = ["Frage,P1: Urteil,P2: Urteil,Gruppe"]
    rows += [f"Ist {n} gerade?,{'ja' if n % 2 else 'nein'},ja,{n}" for n in range(10)]
    app.file_uploader[0].set_value([("urteile.csv", "\n".join(rows).encode(), "text/csv")])
    app.run()
    assert not app.exception and not app.error
    assert "Choose a column for Item or First text" in " ".join(each.value for each in app.info)
    first = next(each for each in app.selectbox if each.label == "First text \\*")
    first.set_value("Frage").run()
    assert not app.exception and not app.error
    assert "10 items, 2 annotators, 20 annotations" in shown(app)
    captions = " ".join(each.value for each in app.caption)
    assert "Ist 0 gerade?" in captions and "10 values" in captions and "nein · ja" in captions
    assert "No explanations: stability and imitation will not work" in " ".join(
        each.value for each in app.warning
    )
    way = next(each for each in app.selectbox if each.label.startswith("Split: training"))
    way.set_value("shares").run()
    field = next(each for each in app.text_input if each.label == "Training/validation/test")
    field.set_value("nonsense").run()
    assert "cannot be used" in " ".join(each.value for each in app.error)
    field = next(each for each in app.text_input if each.label == "Training/validation/test")
    field.set_value("1/0/1").run()
    assert len(app.warning) == 1  # without explanations no split would help
    app.button(key="import.add").click().run()
    assert not app.exception and "was added" in shown(app)
    catalog = Catalog(workspace)
    sizes = catalog.load("urteile").items["split"].value_counts().to_dict()
    assert sizes == {"train": 5, "test": 5}
    app.selectbox(key="data.resplit.split_way").set_value("shares").run()
    app.button(key="data.resplit.act").click().run()
    assert not app.exception
    split = catalog.load("urteile-seed-0").items["split"].value_counts().to_dict()
    assert split == {"train": 6, "validation": 2, "test": 2}
    # What is typed just before the click, with the click in one message, is what is done.
    app.selectbox(key="data.resplit.split_way").set_value("shares").run()
    app.text_input(key="data.resplit.shares").set_value("80/10/10")
    app.number_input(key="data.resplit.seed").set_value(3)
    app.button(key="data.resplit.act").click().run()
    assert not app.exception and not app.error
    split = catalog.load("urteile-seed-0-seed-3").items["split"].value_counts().to_dict()
    assert split == {"train": 8, "validation": 1, "test": 1}
    app.text_input(key="data.resplit.shares").set_value("nonsense")
    app.button(key="data.resplit.act").click().run()
    assert not app.exception and "cannot be used" in " ".join(each.value for each in app.error)


def test_labels_without_explanations_lead_to_what_works(workspace):
    rows = ["item_id,annotator_id,label,text,split"]
    for n in range(4):
        end = f"Text {n},{('dev', 'test')[n % 2]}"
        rows += [f"{n},a,yes,{end}", f"{n},b,{'yes' if n else 'no'},{end}"]
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([("votes.csv", "\n".join(rows).encode(), "text/csv")])
    app.run()
    assert not app.exception
    told = [each.value for each in app.warning]
    assert len(told) == 1 and "stability and imitation will not work" in told[0]
    assert "0 train, 2 validation, 2 test." in shown(app)
    app.button(key="import.add").click().run()
    links = [each.proto.label for each in app.get("page_link")]
    alpha = "Krippendorff's alpha of the labels (nominal metric):"
    assert alpha in shown(app).replace("&#x27;", "'").replace("&#39;", "'")
    assert "See how the annotators use the labels" in links
    assert not {"Fine-tune on an annotator", "Measure how identifiable they are"} & set(links)
    for page, view in (("stability", ""), ("overview", ""), ("annotators", "map")):
        app = open_page(page, dataset="votes", **({"view": view} if view else {}))
        assert not app.exception, page
        assert "votes has no explanations" in shown(app).replace("*", ""), page
        assert not [each for each in app.button if each.key and each.key.startswith("begin.")], page
    app = open_page("overview", dataset="votes")
    overview = shown(app).replace("&#x27;", "'").replace("&#39;", "'")
    assert alpha in overview and "no stability report yet" not in overview
    assert ">Next<" not in overview and overview.count(">Not possible<") == 4
    assert "2 annotators; label use, and the agreement of two." in overview
    app = open_page("annotators", dataset="votes", who="a")
    assert "a wrote no explanations." in shown(app)
    app = open_page("annotators", dataset="votes", view="two")
    assert "gave the same label to 3 of the 4." in shown(app)
    assert "More frequent with" not in shown(app)
    app = open_page("annotators", dataset="votes", view="items")
    assert not [each for each in app.toggle if "ladder" in each.label]


def test_places_in_place_of_people_are_a_warning_wherever_annotators_are_compared(workspace):
    rows = ["pairID,gold_label,Sentence1,Sentence2,Explanation_1,Explanation_2,Explanation_3"]
    rows += [f"{n}n,neutral,A lamp {n}.,It is green.,one {n},two {n},three {n}" for n in range(4)]
    app = open_page("data", view="import")
    app.file_uploader[0].set_value([("esnli.csv", "\n".join(rows).encode(), "text/csv")])
    app.run()
    assert not app.exception
    assert any("places of the explanations" in each.value for each in app.warning)
    way = next(each for each in app.selectbox if each.label.startswith("Split: training"))
    way.set_value("shares").run()
    field = next(each for each in app.text_input if each.label == "Training/validation/test")
    field.set_value("1/0/1").run()
    assert "Without validation items" in " ".join(each.value for each in app.warning)
    app.button(key="import.add").click().run()
    for page in ("annotators", "stability", "finetune"):
        app = open_page(page, dataset="esnli")
        assert any("places of the explanations" in each.value for each in app.warning), page
    app = open_page("annotators", dataset="demo-nli")
    assert not app.warning


def test_a_dataset_is_removed_after_what_is_lost_was_said(workspace, tmp_path):
    """Finding: "Remove …" said only that the source file stays; the key of pseudonyms went too."""
    rows = ["item_id,premise,hypothesis,annotator_id,label,explanation"]
    for n in range(6):
        rows += [f"{n},A {n}.,B.,{who}@x.example,neutral,why {n}" for who in ("zoe", "ann")]
    file = tmp_path / "votes.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    read = read_dataset(file, name="votes", pseudonyms=True)
    catalog = Catalog(workspace)
    catalog.add(read.dataset, read.report)
    app = open_page("data", dataset="votes")
    said = shown(app)
    assert "This is permanent" in said and "the key of its pseudonyms" in said
    assert "No run and no study uses it." in said
    assert "Key of the pseudonyms (CSV)" in [each.label for each in app.get("download_button")]
    for name in ("r-1", "r-2"):
        put_run(workspace, name, settings=sft_settings("votes"), state="succeeded")
    put_run(workspace, "r-3", state="succeeded")
    app = open_page("data", dataset="votes")
    assert "2 runs use it. They stay" in shown(app)
    app.button(key="data.remove").click().run()
    assert not app.exception and "votes" not in {entry.name for entry in catalog.entries()}
