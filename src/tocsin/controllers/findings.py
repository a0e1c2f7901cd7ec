"""What is wrong with input, in one voice, whoever found it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tocsin.errors import FieldError

_WORDS: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a JSON array",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} items",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must not contain lone surrogates",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}
"""By the types of pydantic's errors; what in braces is in their context."""
_MAX_NAMED: Final = 10
_MAX_NAME: Final = 100


def make(problem: Mapping[str, Any]) -> FieldError:
    """Return what pydantic found as we tell it."""
    location, *path = problem["loc"]
    return FieldError("".join(map(_reference_token, path)), _words(problem), str(location))


def summary(found: Sequence[FieldError], count: int) -> str:
    """Return a sentence that names the first of ``count`` things that do not fit."""
    names = ", ".join(dict.fromkeys(item.pointer.lstrip("/") or item.location for item in found[:_MAX_NAMED]))
    if count > _MAX_NAMED:
        names += f" and {count - _MAX_NAMED} more"
    return f"The input does not fit: {names}."


def _reference_token(part: str | int) -> str:
    """Return ``part`` of a JSON pointer; the name of an unknown field may be anything, of any length."""
    name = str(part).encode(errors="backslashreplace").decode()
    if len(name) > _MAX_NAME:
        name = name[:_MAX_NAME] + "…"
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _words(problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "value_error":
            return str(context["error"])
        case kind if kind in _WORDS:
            return _WORDS[kind].format_map(context)
        case _:
            text = str(problem["msg"])
            return text[:1].lower() + text[1:]
