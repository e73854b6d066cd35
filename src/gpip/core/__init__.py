"""Units, fields, seeds, errors and files: what every stage shares, and nothing of any stage."""
