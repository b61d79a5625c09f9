"""Give the label and explanation that one annotator would give: prompting, SFT and CAPO."""
