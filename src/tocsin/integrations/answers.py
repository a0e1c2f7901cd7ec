"""What makes an answer of an AI a verdict."""

import json
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from tocsin.errors import AnalyzerUnintelligible
from tocsin.models.verdict import Category, Verdict

MAX_KEYWORDS = 20
MAX_KEYWORD_LENGTH = 100


def parse_verdict(payload: object, analyzer: str) -> Verdict:
    """Read ``payload`` as ``{category, confidence, keywords}``, given by ``analyzer``.

    Bytes and strings are read as JSON, everything else is taken as JSON that was read already. The category
    is one of the three in any case, the confidence a finite number within 0..1. Keywords are only decoration:
    they are cleaned (see `clean_keywords`) and never make an answer unfit. Unknown fields are ignored.

    Raises:
        AnalyzerUnintelligible: the answer does not fit; the message names the fields and quotes nothing.
    """
    try:
        document = json.loads(payload) if isinstance(payload, str | bytes) else payload
    # Deep nesting raises RecursionError, everything else that is wrong with JSON is a ValueError.
    except (ValueError, RecursionError):
        raise AnalyzerUnintelligible("The AI gave an answer that does not fit: it is not JSON.") from None
    if not isinstance(document, dict):
        raise AnalyzerUnintelligible("The AI gave an answer that does not fit: it is not a JSON object.")
    fields = {name: document[name] for name in _Answer.model_fields if name in document}
    try:
        answer = _Answer.model_validate(fields)
    # The validation error quotes the answer, so it must not be chained into what is logged and stored.
    except ValidationError as error:
        unfit = sorted({str(problem["loc"][0]) for problem in error.errors(include_input=False, include_url=False)})
        raise AnalyzerUnintelligible(f"The AI gave an answer that does not fit: {' and '.join(unfit)}.") from None
    return Verdict(answer.category, answer.confidence, answer.keywords, analyzer)


def clean_keywords(found: object) -> tuple[str, ...]:
    """Return the strings of the list ``found`` as keywords: at most 20, distinct, in their order.

    Each is without NUL and lone surrogates (PostgreSQL cannot hold them), stripped, not blank and cut to 100
    characters. Members that are no strings are dropped; what is no list gives no keywords.
    """
    if not isinstance(found, list):
        return ()
    words = (_clean(word) for word in found if isinstance(word, str))
    distinct = dict.fromkeys(word for word in words if word)
    return tuple(islice(distinct, MAX_KEYWORDS))


def _clean(word: str) -> str:
    storable = word.encode("utf-8", "ignore").decode().replace("\0", "")
    return storable.strip()[:MAX_KEYWORD_LENGTH].rstrip()


def _read_category(value: object) -> Category:
    if isinstance(value, str):
        return Category(value.strip().lower())
    raise ValueError("must be a string")


def _read_confidence(value: object) -> float:
    # The comparison is what NaN does not pass; True would pass as 1.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return value


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    category: Annotated[Category, BeforeValidator(_read_category)]
    confidence: Annotated[float, BeforeValidator(_read_confidence)]
    keywords: Annotated[tuple[str, ...], BeforeValidator(clean_keywords)] = ()
