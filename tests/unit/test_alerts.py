"""Each alert says whom it calls, why, and where it is written what to do."""

import re

import pytest

from tests.fixtures.monitoring import RULES, Alert, alerts, rule_tests, shortened
from tests.house.source import ROOT

MANUAL = (ROOT / "docs" / "operations.md").read_text("utf-8")


def runbooks() -> dict[str, str]:
    """Return the paragraphs of the manual on alerts by the names of these."""
    (chapter,) = re.findall(r"^## Alerts\n(.*?)^## ", MANUAL, re.MULTILINE | re.DOTALL)
    _, *parts = re.split(r"^### (\w+)\n", chapter, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_says_what_is_wrong_and_leads_to_what_to_do(alert: Alert) -> None:
    text = runbooks()[alert.name]

    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert alert.annotations["runbook_url"] == f"docs/operations.md#{alert.name.lower()}"
    assert text.strip().startswith(f"*{alert.severity}.*")
    assert "**Look**" in text
    assert "**Do**" in text or "**do**" in text


def test_the_manual_knows_no_other_alerts() -> None:
    assert list(runbooks()) == [alert.name for alert in alerts()]


def test_somebody_is_called_out_of_bed_or_not() -> None:
    assert {alert.severity for alert in alerts()} == {"page", "ticket"}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_is_tried_where_it_speaks_and_where_it_is_silent(alert: Alert) -> None:
    cases = [case for test in rule_tests() for case in test["alert_rule_test"] if case["alertname"] == alert.name]

    assert any(case.get("exp_alerts") for case in cases)
    assert any(not case.get("exp_alerts") for case in cases)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_is_tried_with_a_real_fault(alert: Alert) -> None:
    faults = (ROOT / "tests" / "e2e" / "test_alerts.py").read_text("utf-8")

    assert f'fires("{alert.name}"' in faults
    assert f'resolves("{alert.name}"' in faults


def test_rules_are_shortened_in_their_durations_and_in_nothing_else() -> None:
    rules = RULES.read_text("utf-8")

    once = shortened(rules, 60)

    assert "rate(tocsin_redis_failures_total[2000ms])" in once
    assert "offset 15000ms" in once
    assert "for: 5000ms" in once
    assert "[1440000ms]" in once
    assert "> 300" in once
    assert re.sub(r"\d+(ms|[smhd])\b", "", once) == re.sub(r"\d+(ms|[smhd])\b", "", rules)
