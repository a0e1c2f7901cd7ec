"""The image holds what runs and nothing else, and runs with as little as it needs."""

import json
import tomllib

import pytest

from tests.docker.stack import Stack
from tests.house.source import ROOT

_OURS = ("api", "worker", "mock-ai", "proxy")
_MAX_OWN_MB = 150
"""What may be added to the base image."""


def run(stack: Stack, *command: str, user: str = "") -> str:
    """Run a program in a container of the image that may do nothing."""
    image = stack.inspect(stack.id("api"))["Image"]
    hardened = ("--read-only", "--cap-drop=ALL", "--network=none", f"--user={user}")
    return stack.docker("run", "--rm", *hardened, "--entrypoint", command[0], image, *command[1:])


def test_it_adds_little_to_its_base(stack: Stack) -> None:
    image = stack.inspect(stack.id("api"))["Image"]
    history = stack.docker("history", "--human=false", "--format", "[{{json .Size}}, {{json .CreatedBy}}]", image)
    layers = [json.loads(line) for line in history.splitlines()]
    ours = [int(size) for size, made_by in layers if "/opt/tocsin" in made_by or "useradd" in made_by]
    whole = stack.inspect(image)["Size"]

    print(f"The image has {whole / 1e6:.0f} MB, of which {sum(ours) / 1e6:.0f} are not the base's.")
    assert len(ours) >= 2
    assert sum(ours) < _MAX_OWN_MB * 1e6


def test_it_says_what_it_is(stack: Stack) -> None:
    labels = stack.inspect(stack.inspect(stack.id("api"))["Image"])["Config"]["Labels"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert labels["org.opencontainers.image.title"] == "Tocsin"
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.description"]


def test_nothing_can_be_built_or_installed(stack: Stack) -> None:
    tools = "gcc cc g++ ld strip make git pip pip3 uv curl wget"
    modules = "pip ensurepip setuptools uv hatchling"
    code = "import importlib.util as i, sys; print(*[name for name in sys.argv[1:] if i.find_spec(name)])"

    assert run(stack, "sh", "-c", f"for tool in {tools}; do command -v $tool; done; true") == ""
    assert run(stack, "python", "-c", code, *modules.split()) == ""


def test_nothing_that_was_downloaded_is_left(stack: Stack) -> None:
    caches = "~/.cache /cache /build /tools /tmp/* /var/lib/apt/lists/* /var/cache/apt/archives/*.deb"
    # As who made it, and failing if even he could not look into his home.
    assert run(stack, "sh", "-ec", f"ls -A ~ > /dev/null; ls -d {caches} 2>/dev/null || true", user="root") == ""


def test_it_runs_as_nobody_else(stack: Stack) -> None:
    assert run(stack, "id", "-u") == "10001"
    assert run(stack, "sh", "-c", "find / -xdev -writable -type d -not -path '/proc/*' 2>/dev/null | sort") == ""


@pytest.mark.parametrize("service", [*_OURS, "postgres", "redis", "cache"])
def test_each_container_may_do_as_little_as_it_needs(service: str, stack: Stack) -> None:
    container = stack.inspect(stack.id(service))
    host = container["HostConfig"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["LogConfig"]["Config"]["max-size"]
    assert container["Config"]["Healthcheck"]["Test"]
    assert stack.execute(service, "id", "-u") != "0"


def test_the_proxy_reaches_the_api_and_nothing_else(stack: Stack) -> None:
    networks = {service: set(stack.inspect(stack.id(service))["NetworkSettings"]["Networks"]) for service in _OURS}

    assert networks["proxy"] == {f"{stack.name}_front"}
    assert networks["api"] == {f"{stack.name}_front", f"{stack.name}_back"}
    assert networks["worker"] == {f"{stack.name}_back"}


def test_only_the_proxy_is_published(stack: Stack) -> None:
    published = [
        line for line in stack.compose("ps", "--format", "{{.Service}} {{.Ports}}").splitlines() if "->" in line
    ]

    assert [line.split()[0] for line in published] == ["proxy"]
    assert " 127.0.0.1:" in published[0], "and on this machine alone"
