"""Migrations do not stop traffic: squawk knows which statements would, and we know what it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.migrations import revisions, sql_of
from tocsin.repositories.schema_revisions import known_revisions

# What of squawk's advice is not for us.
EXCLUDED = {
    "prefer-bigint-over-int": "counters of one inbox",
    "prefer-bigint-over-smallint": "enumerations",
    "prefer-text-field": "lengths are part of the data model, and their limits do not change",
    "require-lock-timeout": "the connection that migrates has one",
    "require-statement-timeout": "so does it",
}


def complaints(sql: str) -> str:
    squawk = [str(Path(sys.executable).with_name("squawk")), "--pg-version=15.0", "--reporter=gcc"]
    squawk += ["--stdin-filepath=migration.sql", *(f"--exclude={rule}" for rule in EXCLUDED)]
    done = subprocess.run(squawk, input=sql, text=True, capture_output=True, check=False, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_the_names_of_the_files_tell_the_revisions_in_their_order() -> None:
    assert known_revisions() == revisions()


@pytest.mark.parametrize("revision", revisions())
def test_a_migration_has_no_statement_that_stops_traffic(revision: str) -> None:
    assert complaints(sql_of(revision)) == ""


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX ix ON notifications (source)", "require-concurrent-index-creation"),
        ("ALTER TABLE notifications ALTER COLUMN source SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE notifications ALTER COLUMN data TYPE jsonb", "changing-column-type"),
        ("ALTER TABLE notifications ADD CONSTRAINT c CHECK (version > 0)", "constraint-missing-not-valid"),
        ("ALTER TABLE notifications DROP COLUMN source", "ban-drop-column"),
        ("ALTER TABLE notifications RENAME COLUMN source TO origin", "renaming-column"),
    ],
)
def test_a_statement_that_would_is_found(statement: str, rule: str) -> None:
    assert rule in complaints(f"BEGIN;\n{statement};\nCOMMIT;\n")
