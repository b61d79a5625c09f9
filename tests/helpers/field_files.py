"""Files of the field, written by hand, and what is read from them."""

import json

from capo_core.data.importing import read_dataset

TEXTS = ("The battery died after one day.", "Great camera and a bright screen.")


def found(path, **options):
    """Return {(annotator, text): (label, explanation)} of a dataset, and the notes as one text."""
    read = read_dataset(path, name="x", **options)
    items = read.dataset.items.set_index("item_id")["text_a"]
    answers = {
        (row.annotator_id, items[row.item_id]): (row.label, row.explanation)
        for row in read.dataset.annotations.itertuples()
    }
    return answers, " | ".join(read.report.notes)


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def csv_of(rows, delimiter=","):
    return "".join(f"{delimiter.join(map(str, row))}\n" for row in rows)
