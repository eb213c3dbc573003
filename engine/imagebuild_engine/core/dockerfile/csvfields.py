"""One line of comma-separated values, as BuildKit reads `--mount` (github.com/tonistiigi/go-csvvalue)."""

from __future__ import annotations


def csv_fields(text: str) -> list[str]:
    """The fields; one in double quotes may hold commas, and quotes when doubled. ValueError says what is wrong."""
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        raise ValueError("it is empty")
    fields: list[str] = []
    at = 0
    while True:
        if text.startswith('"', at):
            field, at = _quoted(text, at + 1)
        else:
            comma = text.find(",", at)
            field = text[at:] if comma < 0 else text[at:comma]
            if '"' in field:
                raise ValueError(f'there is a bare " in {field}')
            at += len(field)
        fields.append(field)
        if at == len(text):
            return fields
        at += 1  # the comma


def _quoted(text: str, at: int) -> tuple[str, int]:
    """The field whose opening quote is just before `at`, and where it ends: at a comma or at the end."""
    parts: list[str] = []
    while (quote := text.find('"', at)) >= 0:
        parts.append(text[at:quote])
        at = quote + 1
        if text.startswith('"', at):
            parts.append('"')
            at += 1
        elif at == len(text) or text[at] == ",":
            return "".join(parts), at
        else:
            raise ValueError(f'after a closing " stands {text[at]} instead of a comma')
    raise ValueError('a " is not closed')
