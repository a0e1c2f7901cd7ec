"""Verdicts from keywords alone, for installations without an AI."""

from tocsin.integrations.answers import clean_keywords
from tocsin.models.keyword_rules import KeywordRule, rule_for
from tocsin.models.verdict import Category, Verdict

_MAX_KEYWORDS = 3
# The absence of a word says less than its presence.
_CONFIDENCE = {Category.CRITICAL: 0.8, Category.WARNING: 0.7, Category.INFO: 0.6}
_PUNCTUATION = ".,:;!?\"'`()[]{}<>"


class RulesAnalyzer:
    """Judges by keywords: no network, no error, the same verdict every time."""

    async def analyze(self, title: str, text: str) -> Verdict:
        """Judge ``title`` and ``text`` by `rule_for`.

        The (at most three) keywords are the words that decided, then the longest ones.
        """
        whole = f"{title}\n{text}"
        rule = rule_for(whole)
        return Verdict(rule.category, _CONFIDENCE[rule.category], _keywords(whole, rule), "rules")


def _keywords(whole: str, rule: KeywordRule) -> tuple[str, ...]:
    words = [word.strip(_PUNCTUATION) for word in whole.split()]
    deciding = [word for word in words if rule.matches(word)]
    return clean_keywords(deciding + sorted(words, key=len, reverse=True))[:_MAX_KEYWORDS]
