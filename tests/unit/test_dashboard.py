"""The dashboard is whole: what Grafana needs, what a reader needs, and nothing twice.

That it fits Grafana's own types is checked by ``deploy/grafana/schema/check``, that its queries find something by
``tests/e2e/test_dashboard.py``.
"""

import re
from itertools import combinations
from typing import Any

import pytest

from tests.fixtures.monitoring import dashboard, queries

PANELS = dashboard()["panels"]
ROWS = [panel for panel in PANELS if panel["type"] == "row"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
WIDTH = 24


def test_it_answers_five_questions_from_top_to_bottom() -> None:
    assert [row["title"] for row in ROWS] == [
        "Is it up?",
        "Is it fast?",
        "Is it behind?",
        "Is the AI well?",
        "Are readers served?",
    ]


def test_each_panel_has_a_number_and_a_title_of_its_own() -> None:
    for field in ("id", "title"):
        values = [panel[field] for panel in PANELS]
        assert len(set(values)) == len(values)


def test_panels_fill_the_width_and_lie_on_no_other() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= WIDTH
    for one, other in combinations(places, 2):
        assert not (
            one["x"] < other["x"] + other["w"]
            and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"]
            and other["y"] < one["y"] + one["h"]
        ), (one, other)
    tops = {place["y"] for place in places}
    for top in tops:
        assert sum(place["w"] for place in places if place["y"] == top) == WIDTH


@pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_source(panel: dict[str, Any]) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    assert panel["description"].endswith(".")
    assert panel["datasource"] == chosen
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert all(target["datasource"] == chosen for target in panel["targets"])
    assert panel["type"] != "timeseries" or panel["fieldConfig"]["defaults"]["unit"]


def test_the_colour_of_a_series_is_that_of_one_that_exists() -> None:
    for panel in DRAWN:
        named = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
        legends = " ".join(target["legendFormat"] for target in panel["targets"])
        assert all(name in legends or "{{" in legends for name in named), panel["title"]


def test_rates_are_taken_over_as_long_as_grafana_advises() -> None:
    for query in queries():
        windows = set(re.findall(r"\[([^]]+)\]", query.expression))
        assert windows <= {"$__rate_interval"} or not query.is_range or query.panel == "Starts", query


def test_the_source_is_a_variable_with_the_provisioned_one_as_its_value() -> None:
    (variable,) = dashboard()["templating"]["list"]

    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert variable["current"]["value"] == "prometheus"
