"""``tocsin send``: create notifications."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.connection import (
    DATA_DIR,
    DataDirOption,
    JsonOption,
    KeyOption,
    UrlOption,
    UserOption,
    find_connection,
)
from tocsin.errors import ConfigurationError


def send(
    text: Annotated[
        str | None, typer.Argument(help="The message; '-' or nothing reads it from standard input.")
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DATA_DIR,
    user: UserOption = None,
    title: Annotated[str | None, typer.Option(help="If left out, how the text begins.")] = None,
    source: Annotated[str | None, typer.Option(help="Which program tells this.")] = None,
    link: Annotated[str | None, typer.Option(help="Where to read more; http or https.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="Anything else, as a JSON object.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Your name for this notification: with the same one it is made once.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Send a JSON object a line instead; '-' reads standard input."),
    ] = None,
    id_prefix: Annotated[
        str | None, typer.Option(help="With --file: lines are named PREFIX#LINE, and made once under a name.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="With --wait: seconds.")] = 60,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the verdict and show it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a notification, or with --file any number of them.

    A file can be sent again: a line that is the same at the same place is not made twice. What comes by standard
    input has names only with --id-prefix. Lines have 'text', and may have 'title', 'source', 'link', 'data',
    'user_id' and 'idempotency_key'; options stand in for what they lack.
    """
    # aiohttp and rich take a while to import; other commands need not wait for them.
    from tocsin.cli.sending import Template, parse_data, send_one
    from tocsin.cli.sending_files import send_file

    connection = find_connection(url, key, data_dir)
    template = Template(connection.user(user), title, source, link, parse_data(data))
    if file is None:
        if id_prefix is not None:
            raise ConfigurationError("--id-prefix is for --file; a single notification takes --idempotency-key")
        send_one(connection, template, _read(text), idempotency_key, timeout if wait else None, as_json=as_json)
    elif text is not None or idempotency_key is not None or wait:
        raise ConfigurationError("with --file there is no TEXT, no --idempotency-key and no --wait")
    else:
        send_file(connection, template, file, id_prefix, as_json=as_json)


def _read(text: str | None) -> str:
    if text is None and sys.stdin.isatty():
        raise ConfigurationError("say what to send: tocsin send TEXT, or '-' to read it from standard input")
    if text in (None, "-"):
        try:
            text = sys.stdin.buffer.read().decode().strip()
        except UnicodeDecodeError:
            raise ConfigurationError("standard input is not UTF-8") from None
    if not text:
        raise ConfigurationError("there is nothing to send: the text is empty")
    return text
