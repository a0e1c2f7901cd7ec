"""What Grafana reads at its start has the form that its documentation tells, and lies where its image looks.

https://grafana.com/docs/grafana/latest/administration/provisioning/ and
https://grafana.com/docs/grafana/latest/setup-grafana/configure-docker/
"""

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from tests.fixtures.monitoring import DASHBOARD, PROMETHEUS, dashboard
from tests.house.source import ROOT

PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
FILES = sorted(path for path in PROVISIONING.rglob("*") if path.is_file())
GRAFANA = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["grafana"]
# Grafana passes over a field that it does not know, so a wrong name is not told by anybody.
DATASOURCE = {
    "access": str,
    "basicAuth": bool,
    "basicAuthUser": str,
    "database": str,
    "editable": bool,
    "isDefault": bool,
    "jsonData": dict,
    "name": str,
    "orgId": int,
    "secureJsonData": dict,
    "type": str,
    "uid": str,
    "url": str,
    "user": str,
    "version": int,
    "withCredentials": bool,
}
PROVIDER = {
    "allowUiUpdates": bool,
    "disableDeletion": bool,
    "folder": str,
    "folderUid": str,
    "name": str,
    "options": dict,
    "orgId": int,
    "type": str,
    "updateIntervalSeconds": int,
}


def read(folder: str, field: str) -> list[dict[str, Any]]:
    """Return what all files of a folder have in a list."""
    return [item for path in FILES if path.parent.name == folder for item in yaml.safe_load(path.read_text())[field]]


def mounted(inside: str) -> Path:
    """Return what a container of Grafana finds at a path, by compose.yaml."""
    for volume in GRAFANA["volumes"]:
        source, target, *_ = volume.rsplit(":", 2) if volume.endswith(":ro") else volume.rsplit(":", 1)
        if source.startswith("./") and PurePosixPath(inside).is_relative_to(target):
            return Path(ROOT, source, PurePosixPath(inside).relative_to(target))
    raise AssertionError(f"nothing is mounted at {inside}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_one_that_grafana_reads(path: Path) -> None:
    content = yaml.safe_load(path.read_text("utf-8"))

    assert path.suffix in (".yml", ".yaml"), "it reads no others"
    assert content.pop("apiVersion") == 1
    assert list(content) == [{"datasources": "datasources", "dashboards": "providers"}[path.parent.name]]


def test_its_fields_are_those_that_grafana_knows() -> None:
    for items, known in ((read("datasources", "datasources"), DATASOURCE), (read("dashboards", "providers"), PROVIDER)):
        for item in items:
            assert {name: type(value) for name, value in item.items()} == {name: known[name] for name in item}


def test_the_source_is_prometheus_as_compose_runs_it_and_the_dashboard_knows_it() -> None:
    (source,) = read("datasources", "datasources")
    (variable,) = dashboard()["templating"]["list"]
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["global"]["scrape_interval"]

    assert (source["type"], source["access"], source["url"]) == ("prometheus", "proxy", "http://prometheus:9090")
    assert source["uid"] == variable["current"]["value"]
    assert source["isDefault"]
    assert source["jsonData"] == {"timeInterval": scraped}


def test_the_folder_of_dashboards_is_mounted_where_it_is_looked_for() -> None:
    (provider,) = read("dashboards", "providers")

    assert provider["type"] == "file"
    assert mounted(provider["options"]["path"]) == DASHBOARD.parent


def test_compose_mounts_the_files_where_the_image_of_grafana_looks() -> None:
    assert mounted("/etc/grafana/provisioning") == PROVISIONING
    assert mounted(GRAFANA["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]) == DASHBOARD
    assert "grafana:/var/lib/grafana" in GRAFANA["volumes"], "all that it writes"
