"""What the programs do without when they start: what only others need, and takes long to import."""

import subprocess
import sys

import pytest

TRACING = {"opentelemetry.sdk.trace", "opentelemetry.exporter"}  # it is off by default
EVERYTHING = {"aiohttp", "alembic", "celery", "fastapi", "pydantic", "redis", "rich", "sqlalchemy", "uvicorn"}


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("tocsin.cli", EVERYTHING | TRACING),
        ("tocsin.controllers.server", {"aiohttp", "alembic", "mako"} | TRACING),
        ("tocsin.worker.run", {"alembic", "fastapi", "mako", "uvicorn"} | TRACING),
        ("tocsin.mock_ai", EVERYTHING - {"aiohttp", "pydantic"} | TRACING),
    ],
)
def test_a_program_imports_nothing_that_only_others_need(module: str, others: set[str]) -> None:
    program = f"import sys, {module}; print(sorted({others} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "[]\n"
