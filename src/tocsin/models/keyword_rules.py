"""Which words make a text critical or worth a warning."""

from dataclasses import dataclass

from tocsin.models.verdict import Category


@dataclass(frozen=True, slots=True)
class KeywordRule:
    """A text that contains any of ``words``, in any case and also inside longer words, is of ``category``."""

    category: Category
    words: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Tell whether ``text`` contains one of the words."""
        lowered = text.lower()
        return any(word in lowered for word in self.words)


_RULES = (
    KeywordRule(Category.CRITICAL, ("error", "exception", "failed")),
    KeywordRule(Category.WARNING, ("warning", "attention", "careful")),
)
_NOTHING_FOUND = KeywordRule(Category.INFO, ())


def rule_for(text: str) -> KeywordRule:
    """Return the gravest rule that matches ``text``; the one of `Category.INFO`, without words, if none does."""
    return next((rule for rule in _RULES if rule.matches(text)), _NOTHING_FOUND)
