"""Tables as the edgeprune command prints them: Markdown to read, CSV and JSON to work with."""

import csv
import io
import json
from typing import NamedTuple

FORMATS = ("md", "csv", "json")


class Column(NamedTuple):
    name: str  # in Markdown and CSV
    key: str  # in JSON and in the rows
    digits: int | None = None  # behind the point; None: as it is. JSON has every digit


def render(columns, rows, format):
    """`rows` are dicts by key; what a row lacks stays empty."""
    if format == "json":
        objects = [json.dumps({column.key: row.get(column.key) for column in columns}) for row in rows]
        return "[" + ",".join("\n  " + text for text in objects) + "\n]\n"
    lines = [[column.name for column in columns]]
    lines += [[cell_text(row.get(column.key), column.digits) for column in columns] for row in rows]
    return csv_text(lines) if format == "csv" else markdown_text(lines)


def cell_text(value, digits):
    if value is None:
        return ""
    return str(value) if digits is None else f"{value:.{digits}f}"


def csv_text(lines):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def markdown_text(lines):
    widths = [max(2, *map(len, cells)) for cells in zip(*lines)]
    aligned = ["| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    aligned.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(aligned) + "\n"
