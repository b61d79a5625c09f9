"""The published files of LeWiDi-2025, for `data fetch`: a table apart from the reader."""

from __future__ import annotations

from capo_core.data.formats.base import DownloadSource, PublishedFile

_REPOSITORY = "Le-Wi-Di/le-wi-di.github.io"
_COMMIT = "45d7b06e4c36b59472d6bdf9281f7f1e395eb0e0"
_FOLDER = "LeWiDi_3-2025"
_NO_TRAINING_PART = (
    "the training part is not downloaded, because no checksum of it is recorded here; import "
    "{0}_train.json with the other files to have it"
)

# Folder and file stem → (part, SHA-256, bytes) of each file.
_FILES = {
    "Paraphrase": (
        ("train", "2ec98bad361732dbb568e4acea339edbbd747299fbd716e99812e4f14042bc53", 516_303),
        ("dev", "821f8b142d63c9ccc38cb801fa6ca4cdcfe5049c8bfb151c7d7d3dd025db8e03", 65_183),
        ("test", "5c2396b91ae84edcf64b1b529b8ade83b1fa3a78b4b930cbcf613b917875ae1d", 54_219),
        ("annotators_meta", "a5d56635ea516288e26e162cd5599db95b3fa89dad24fee4f6d5a37ec125a0e4",
         429),
    ),
    "VariErrNLI": (
        ("train", "466a507dec72eb118d528e52aa5a905cb23a4e5acaf7af02062938ea958d1a0d", 560_187),
        ("dev", "6d1b5ca80ee4eb79c608de828b386f524cacddc608d0396464c71d728b369efd", 69_902),
        ("test", "872fa56f32a999fd46954cae144528ea7445186cf35ca473fabf6d3eeb43340a", 61_459),
        ("annotators_meta", "3cd41a2a8cad537788b5bdf46b2c9dac3731142a6a9704484b60275fa0b2dc66",
         422),
    ),
    "CSC": (
        ("dev", "e20b142573639c50640b2ab720d79d348005b174e36bc8332fbadbfd53160be5", 710_094),
        ("test", "80b7c33bd11de5bf6637876b73d923735029e8732eda3eba3f7b8b257f7b4181", 579_075),
        ("annotators_meta", "06a4b494e6cbb7f4b5636efd7f6174316c3311ab870988bcedbfa4fd3cfac4bd",
         41_188),
    ),
    "MP": (
        ("dev", "284bd1d9119b46878b9eb18db369e90db53d1e9cf7ce0c519157bac53bd24e29", 2_996_322),
        ("test", "da313236d8b6b1cb056c3965751d56c33fffd3d635f53546a924948246ed0ad6", 3_173_281),
        ("annotators_meta", "8b0e310e21246884847f36d0e5c54de22e6031c11fd7e5e2447cdd884619ea3e",
         156_760),
    ),
}  # fmt: skip


def _source(stem: str, name: str, title: str, description: str, note: str = "") -> DownloadSource:
    folder = f"{_FOLDER}/{stem}"
    raw = f"https://raw.githubusercontent.com/{_REPOSITORY}/{_COMMIT}/{folder}"
    files = tuple(
        PublishedFile(f"{stem}_{part}.json", f"{raw}/{stem}_{part}.json", digest, size)
        for part, digest, size in _FILES[stem]
    )
    return DownloadSource(
        name=name,
        title=title,
        description=description,
        by_hand=f"download {', '.join(file.name for file in files)} from "
        f"https://github.com/{_REPOSITORY}/tree/{_COMMIT}/{folder} on any machine",
        pattern=f"{stem}_*.json",
        files=files,
        licence="none stated in its repository",
        note=note,
    )


SOURCES = (
    _source(
        "Paraphrase",
        "lewidi-paraphrase",
        "LeWiDi-2025 Paraphrase",
        "500 pairs of questions, four annotators, 2,000 labels from −5 to 5 with explanations",
    ),
    _source(
        "VariErrNLI",
        "lewidi-varierr",
        "LeWiDi-2025 VariErrNLI",
        "488 items of VariErr in the splits of the shared task, four annotators, 1,891 labels with "
        "explanations",
    ),
    _source(
        "CSC",
        "lewidi-csc",
        "LeWiDi-2025 CSC (dev, test)",
        "1,408 responses in conversation, sarcasm from 1 to 6 by many annotators, no explanations",
        _NO_TRAINING_PART.format("CSC"),
    ),
    _source(
        "MP",
        "lewidi-mp",
        "LeWiDi-2025 MP (dev, test)",
        "6,761 pairs of post and reply, irony by 506 annotators, no explanations",
        _NO_TRAINING_PART.format("MP"),
    ),
)
