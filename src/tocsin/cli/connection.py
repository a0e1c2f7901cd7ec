"""Which Tocsin a command talks to, as whom, and in whose inbox."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from tocsin.cli.demo_inbox import DEMO_USER_ID
from tocsin.cli.values import parse_id
from tocsin.errors import ConfigurationError

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="TOCSIN_URL", help="Address of the service; if left out, the one that runs here."),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="TOCSIN_KEY",
        help="Service key or inbox token. Better in the variable: others can see what is typed here.",
    ),
]
DataDirOption = Annotated[
    Path, typer.Option("--data-dir", help="Folder of the 'tocsin up' to talk to if there is no --url.")
]
UserOption = Annotated[
    UUID | None,
    typer.Option(
        "--user",
        envvar="TOCSIN_USER",
        parser=parse_id,
        metavar="UUID",
        help="Whose inbox; if left out, the demo inbox of what runs here.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, for other programs.")]

DATA_DIR = Path(".data")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the service is and what to prove oneself with; ``here`` tells that it was found in a data folder.

    ``demo_link`` opens the demo inbox in any browser.
    """

    url: str
    key: str = field(repr=False)
    here: bool
    demo_link: str | None = field(default=None, repr=False)

    def user(self, given: UUID | None) -> UUID:
        """Return whose inbox is meant.

        Raises:
            ConfigurationError: nobody was named, and there is no demo inbox elsewhere.
        """
        if given is not None:
            return given
        if not self.here:
            raise ConfigurationError("say whose inbox is meant: --user UUID, or the variable TOCSIN_USER")
        return UUID(DEMO_USER_ID)

    def page_of(self, user: UUID) -> str:
        """Return where a browser shows the inbox; elsewhere than in the demo inbox it asks for a credential."""
        return self.demo_link if self.demo_link and user == UUID(DEMO_USER_ID) else self.url


def find_connection(url: str | None, key: str | None, data_dir: Path) -> Connection:
    """Return what was given, or what ``tocsin up`` has written down in ``data_dir``.

    A key found there goes to no other address than the one found with it.

    Raises:
        ConfigurationError: something is missing.
    """
    if url and key:
        return Connection(url, key, here=False)
    if url:
        raise ConfigurationError("a key is missing: put it into the variable TOCSIN_KEY, or say --key")
    found = _read_status(data_dir / "up.json")
    return Connection(found.url, key, here=True) if key else found


def _read_status(path: Path) -> Connection:
    try:
        status = json.loads(path.read_text("utf-8"))
        return Connection(str(status["url"]), str(status["service_key"]), here=True, demo_link=status.get("inbox_url"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no Tocsin runs here ({path} is not there): start 'tocsin up', or say --url and TOCSIN_KEY"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{path} is not what 'tocsin up' writes; say --url and TOCSIN_KEY") from None
