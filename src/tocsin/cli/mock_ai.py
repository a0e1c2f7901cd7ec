"""``tocsin mock-ai``: a stand-in for the AI API."""

from typing import Annotated

import typer


def mock_ai(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [TOCSIN_MOCK_AI__HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.  [TOCSIN_MOCK_AI__PORT]")
    ] = None,
    delay: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="MIN MAX", help="Seconds before an answer.  [TOCSIN_MOCK_AI__DELAY_MIN, …_MAX]"),
    ] = None,
) -> None:
    """Serve a stand-in for the AI API, with knobs for trouble.

    The knobs are TOCSIN_MOCK_AI__DELAY_MIN, DELAY_MAX, ERROR_RATE, GARBAGE_RATE, BUSY_RATE and HANG_RATE, and
    while it runs GET and PUT /knobs. Options win over the environment.
    """
    # Here and not above, so that the other commands do not wait for a web server to be imported.
    from tocsin.errors import ConfigurationError
    from tocsin.mock_ai import run, with_changes
    from tocsin.settings import MockAiSettings, load_settings

    options = {"host": host, "port": port, "delay_min": delay and delay[0], "delay_max": delay and delay[1]}
    try:
        settings = with_changes(
            load_settings(MockAiSettings), {name: value for name, value in options.items() if value is not None}
        )
        run(settings, lambda url: typer.echo(f"The mock AI listens on {url}"))
    except ConfigurationError as error:
        typer.echo(f"tocsin mock-ai: {error.detail}", err=True)
        raise typer.Exit(2) from None
