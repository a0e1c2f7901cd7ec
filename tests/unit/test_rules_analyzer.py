"""Verdicts from keywords alone."""

import pytest

from tocsin.integrations.rules_analyzer import RulesAnalyzer
from tocsin.models.verdict import Category, Verdict


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        (
            "Backup FAILED!",
            "The nightly backup met an error (disk full).",
            Verdict(Category.CRITICAL, 0.8, ("FAILED", "error", "nightly"), "rules"),
        ),
        ("Disk", "Warning: 91 % used", Verdict(Category.WARNING, 0.7, ("Warning", "Disk", "used"), "rules")),
        ("Deployed", "release 12", Verdict(Category.INFO, 0.6, ("Deployed", "release", "12"), "rules")),
        ("error error", "error", Verdict(Category.CRITICAL, 0.8, ("error",), "rules")),
        ("…", "?!", Verdict(Category.INFO, 0.6, ("…",), "rules")),
        ("", "x" * 200, Verdict(Category.INFO, 0.6, ("x" * 100,), "rules")),
    ],
)
async def test_judges_title_and_text(title: str, text: str, expected: Verdict) -> None:
    assert await RulesAnalyzer().analyze(title, text) == expected
