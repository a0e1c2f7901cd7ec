"""Settings name what is wrong with them and never say a secret; .env.example tells all of them."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings

from tests.house import env_example
from tocsin.errors import ConfigurationError
from tocsin.settings import MockAiSettings, Settings, load_settings

SECRET = secrets.token_hex(32)
PASSWORD = secrets.token_hex(8)
REQUIRED = {
    "TOCSIN_SECRET": SECRET,
    "TOCSIN_DATABASE__URL": f"postgresql://tocsin:{PASSWORD}@db:5432/tocsin",
    "TOCSIN_REDIS__BROKER_URL": f"redis://:{PASSWORD}@redis:6379/0",
}


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(Settings)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.mark.usefixtures("required")
def test_what_is_required_is_enough() -> None:
    settings = load_settings(Settings)

    assert settings.secret.get_secret_value() == SECRET
    assert settings.redis.effective_cache_url == settings.redis.broker_url


def test_every_missing_variable_is_named_as_it_must_be_set() -> None:
    message = refusal()

    assert message.count("Field required") == len(REQUIRED)
    for name in REQUIRED:
        assert f"{name}: Field required" in message


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_variable_is_a_missing_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")

    assert refusal() == f"{name}: Field required"


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOCSIN_SECRET", "too-short-6f1c"),
        ("TOCSIN_PREVIOUS_SECRET", "too-short-6f1c"),
        ("TOCSIN_SECRET", "change-me-7d0b58a31f9e4c62b8e5f7a01d34c9be"),
        ("TOCSIN_DATABASE__URL", "mysql://root:6f1c@db/tocsin"),
        ("TOCSIN_REDIS__BROKER_URL", "amqp://guest:6f1c@queue/"),
        ("TOCSIN_REDIS__CACHE_URL", "memcached://6f1c"),
        ("TOCSIN_API__PORT", "eighty-6f1c"),
        ("TOCSIN_API__PORT", "65536"),
        ("TOCSIN_AI__PROVIDER", "oracle-6f1c"),
        ("TOCSIN_AI__URL", "not-a-url-6f1c"),
        ("TOCSIN_WORKER__LEASE", "-1"),
    ],
)
def test_a_wrong_value_is_named_but_not_said(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    message = refusal()

    assert message.startswith(f"{name}: ")
    assert value not in message
    assert PASSWORD not in message


@pytest.mark.usefixtures("required")
def test_an_unknown_setting_of_a_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_AI__CONCURENCY", "8")

    assert refusal().startswith("TOCSIN_AI__CONCURENCY: ")


@pytest.mark.usefixtures("required")
def test_a_group_that_is_no_json_is_refused_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE", f"{{{PASSWORD}")

    message = refusal()

    assert "database" in message
    assert PASSWORD not in message


@pytest.mark.usefixtures("required")
def test_no_secret_shows_in_a_repr() -> None:
    settings = load_settings(Settings)

    assert SECRET not in repr(settings)
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in settings.model_dump_json()


# ---- files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is required, in files; one with the line end that an editor leaves, one in capitals."""
    (tmp_path / "tocsin_secret").write_text(f"{SECRET}\n")
    (tmp_path / "tocsin_database__url").write_text(REQUIRED["TOCSIN_DATABASE__URL"])
    (tmp_path / "TOCSIN_REDIS__BROKER_URL").write_text(REQUIRED["TOCSIN_REDIS__BROKER_URL"])
    (tmp_path / "of_another_program").write_text("whatever")
    monkeypatch.setenv("TOCSIN_SECRETS_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_folder_of_files_does_for_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE__POOL_SIZE", "3")

    settings = load_settings(Settings)

    assert settings.secret.get_secret_value() == SECRET
    assert settings.database.url.get_secret_value() == REQUIRED["TOCSIN_DATABASE__URL"]
    assert settings.database.pool_size == 3, "a group may come from both"
    assert settings.redis.broker_url.get_secret_value() == REQUIRED["TOCSIN_REDIS__BROKER_URL"]


@pytest.mark.usefixtures("folder")
def test_a_variable_counts_more_than_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_REDIS__BROKER_URL", "redis://elsewhere:6379/0")

    assert load_settings(Settings).redis.broker_url.get_secret_value() == "redis://elsewhere:6379/0"


def test_a_wrong_value_in_a_file_is_named_like_its_variable(folder: Path) -> None:
    (folder / "tocsin_secret").write_text("too-short-6f1c")

    message = refusal()

    assert message.startswith("TOCSIN_SECRET: Value error, must be at least")
    assert "6f1c" not in message


def test_a_folder_of_files_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SECRETS_DIR", str(folder / "missing"))

    assert refusal() == f"TOCSIN_SECRETS_DIR: cannot read {folder / 'missing'}: No such file or directory"


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "tocsin_secret").write_bytes(b"\xff\xfe")

    assert refusal() == "TOCSIN_SECRETS_DIR: a file in it is not text in UTF-8"


# ---- .env.example


def assignments() -> Iterator[tuple[str, str]]:
    """Yield every name and value of .env.example, what is commented out as well."""
    for line in env_example.PATH.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"#?([A-Z_]+)=(.*)", line):
            yield match[1], match[2]


def test_the_example_tells_every_setting() -> None:
    assert env_example.PATH.read_text("utf-8") == env_example.render(), "run 'make fix' and look at what it changed"


def test_the_example_holds_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    from_required = load_settings(Settings), load_settings(MockAiSettings)

    for name, value in assignments():
        monkeypatch.setenv(name, value or REQUIRED.get(name, ""))

    assert (load_settings(Settings), load_settings(MockAiSettings)) == from_required


def test_the_example_has_no_secret_to_run_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in assignments():
        monkeypatch.setenv(name, value)

    assert refusal().count("Field required") == len(REQUIRED)


def test_a_setting_without_a_description_cannot_be_told() -> None:
    class Silent(BaseSettings):
        port: int = 1

    with pytest.raises(ValueError, match="SILENT_PORT needs a description"):
        list(env_example.section("", Silent, "SILENT_"))


def test_a_secret_with_a_default_cannot_be_told() -> None:
    class Open(BaseModel):
        key: SecretStr = Field(SecretStr("abc"), description="A key.")

    with pytest.raises(TypeError, match="OPEN_KEY is a secret"):
        list(env_example.section("", Open, "OPEN_"))
