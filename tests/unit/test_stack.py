import pytest

from tocsin.cli.stack import Addresses, build_environment, wants_mock_ai


def build(environment: dict[str, str], ai_delay: tuple[float, float] | None = None) -> dict[str, str]:
    return build_environment(
        environment,
        addresses=Addresses("0.0.0.0", 8000, 8001),
        secret="made here",
        database_url="postgresql://here",
        redis_url="redis://here",
        ai_delay=ai_delay,
    )


def test_names_of_settings_know_no_case() -> None:
    environment = build({"tocsin_secret": "theirs", "Tocsin_Database__Url": "postgresql://elsewhere"})

    assert environment["TOCSIN_SECRET"] == "theirs"
    assert environment["TOCSIN_DATABASE__URL"] == "postgresql://here"
    assert not any(name for name in environment if name.upper().startswith("TOCSIN_") and name != name.upper())


def test_an_option_wins_over_a_variable_and_that_over_a_default() -> None:
    assert build({})["TOCSIN_MOCK_AI__DELAY_MAX"] == "3"
    assert build({"TOCSIN_MOCK_AI__DELAY_MAX": "9"})["TOCSIN_MOCK_AI__DELAY_MAX"] == "9"
    assert build({"TOCSIN_MOCK_AI__DELAY_MAX": "9"}, (0, 0.5))["TOCSIN_MOCK_AI__DELAY_MAX"] == "0.5"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, True),
        ({"TOCSIN_AI__PROVIDER": "http"}, True),
        ({"TOCSIN_AI__CONCURRENCY": "2"}, True),
        ({"TOCSIN_AI__PROVIDER": "rules"}, False),
        ({"tocsin_ai__url": "https://ai.example"}, False),
    ],
)
def test_the_mock_ai_runs_only_where_it_is_asked(environment: dict[str, str], wanted: bool) -> None:
    assert wants_mock_ai(environment) is wanted


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_url_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert Addresses(host, 8000, None).url == url
