"""The documents say what is so."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from tests.house import configuration
from tests.house.source import ROOT
from tocsin import errors, telemetry
from tocsin.controllers import problems

DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", [configuration.README, configuration.REFERENCE], ids=lambda path: path.name)
def test_the_table_of_settings_is_made_from_the_settings(path: Path) -> None:
    assert path.read_text("utf-8") == configuration.expected(path), "run 'make fix' and look at what it changed"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for link in _LINK.findall(document.read_text("utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


def test_files_that_documents_name_are_there() -> None:
    named = {name for document in DOCUMENTS for name in re.findall(r"`((?:src|tests)/[\w./]+)`", document.read_text())}

    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_decision_is_listed_and_has_a_number_of_its_own() -> None:
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", text_of("docs/decisions/README.md"))

    assert listed == [path.name for path in DECISIONS]
    assert len({path.name[:4] for path in DECISIONS}) == len(DECISIONS)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts(path: Path) -> None:
    parts = re.findall(r"^## (\w+)$", path.read_text("utf-8"), re.MULTILINE)

    assert parts == ["Context", "Decision", "Consequences", "Alternatives"]


def test_the_manual_lists_every_metric_and_says_who_tells_it() -> None:
    told = dict(re.findall(r"^\| `(tocsin_\w+)` \| (API: |worker: )?", text_of("docs/operations.md"), re.MULTILINE))

    both = _names(REGISTRY)
    assert {name.removesuffix("_total"): teller for name, teller in told.items()} == (
        dict.fromkeys(both, "")
        | dict.fromkeys(_names(telemetry.API) - both, "API: ")
        | dict.fromkeys(_names(telemetry.WORKER) - both, "worker: ")
    )


def _names(registry: CollectorRegistry) -> set[str]:
    return {family.name for family in registry.collect() if family.name.startswith("tocsin_")}


def test_the_manual_lists_every_code_of_an_error() -> None:
    """Those of the AI never reach a caller of the API, those of the command line and of sockets have no status."""
    programs = (errors.AnalyzerError, errors.ConfigurationError, errors.StartFailed)
    inside = (*programs, errors.TooSlow, errors.UnexpectedMessage)
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.TocsinError)]
    ours = {kind.code for kind in kinds if not issubclass(kind, inside) and kind is not errors.TocsinError}
    ours |= set(problems._CODES.values()) | {
        "malformed_json",
        "internal_error",
        "malformed_request",
        "headers_too_large",
        "request_timeout",
        "cors_refused",
    }

    told = re.findall(r"^\| \d{3} \| `(\w+)`", text_of("docs/api.md"), re.MULTILINE)

    assert sorted(told) == sorted(ours)
