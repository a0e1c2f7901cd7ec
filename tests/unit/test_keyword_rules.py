"""The keyword rules."""

import pytest

from tocsin.models.keyword_rules import rule_for
from tocsin.models.verdict import Category


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("An ERROR occurred", Category.CRITICAL),
        ("NullPointerException", Category.CRITICAL),
        ("backup failed", Category.CRITICAL),
        ("terrorism", Category.CRITICAL),
        ("warning: error", Category.CRITICAL),
        ("Warnings", Category.WARNING),
        ("Please pay attention", Category.WARNING),
        ("be Careful", Category.WARNING),
        ("failure", Category.INFO),
        ("err or", Category.INFO),
        ("", Category.INFO),
    ],
)
def test_the_gravest_matching_rule_decides(text: str, category: Category) -> None:
    assert rule_for(text).category is category
