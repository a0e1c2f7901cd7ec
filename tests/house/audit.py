"""Whether anything that is locked is known to be vulnerable: ``python -m tests.house.audit`` (`make audit`).

`pip-audit` asks osv.dev for each package. What it could not ask it passes over, or breaks off without a word that a
script could tell from findings; here that is an answer of its own, and never "nothing found".
"""

import argparse
import enum
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.house.source import ROOT

LOCKS: Final = ("requirements-dev.lock", "requirements-build.lock")
"""The first has all that the other locks of the project have."""
OSV: Final = "https://api.osv.dev/v1/query"
ACCEPTED: Final[dict[str, str]] = {}
"""Ids of what is known and does us no harm, each with the reason."""


class Outcome(enum.IntEnum):
    """What came of it, as the code that the program ends with."""

    CLEAN = 0
    FOUND = 1
    NOT_DONE = 3


def audit(locks: Sequence[Path], service: str = OSV) -> tuple[Outcome, list[str]]:
    """Look up all that ``locks`` pin; return what came of it, and lines that say so."""
    findings: dict[str, None] = {}
    unknown: dict[str, None] = {}
    count = 0
    for lock in locks:
        dependencies = _look_up(lock, service)
        if isinstance(dependencies, str):
            return Outcome.NOT_DONE, [f"The locks could not be audited, {service} cannot be asked: {dependencies}"]
        count += len(dependencies)
        for one in dependencies:
            if "skip_reason" in one:
                unknown[f"{one['name']} could not be audited: {one['skip_reason']}"] = None
            findings |= dict.fromkeys(_describe(one, found) for found in one.get("vulns", ()))
    if findings:
        return Outcome.FOUND, [*findings, *unknown]
    if unknown or not count:
        return Outcome.NOT_DONE, [*unknown, f"Of {count} packages, {len(unknown)} could not be audited."]
    return Outcome.CLEAN, [f"None of {count} packages is known to be vulnerable."]


def _look_up(lock: Path, service: str) -> list[dict[str, Any]] | str:
    """Return what is known of each package, or why nothing is."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    command += ["--vulnerability-service", "osv", "--osv-url", service, "--format", "json", "--progress-spinner", "off"]
    command += [f"--ignore-vuln={accepted}" for accepted in ACCEPTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return done.stderr.strip().rpartition("\n")[2] or f"pip-audit ended with {done.returncode}"
    return found


def _describe(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no version"
    return f"{package['name']} {package['version']}: {found['id']} (fixed in {fixed})"


def main() -> int:
    """Audit, say what came of it, and end with its code."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.audit", description="Audit the locked packages.")
    parser.add_argument("--if-reachable", action="store_true", help="it is no failure if nobody can be asked")
    options = parser.parse_args()
    outcome, lines = audit([ROOT / lock for lock in LOCKS])
    print(*lines, sep="\n", file=sys.stderr if outcome else sys.stdout)
    if outcome is Outcome.NOT_DONE and options.if_reachable:
        print("NOT AUDITED: nobody could be asked for known vulnerabilities.", file=sys.stderr)
        return 0
    return outcome


if __name__ == "__main__":
    sys.exit(main())
