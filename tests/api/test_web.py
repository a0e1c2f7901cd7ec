"""The page at ``/`` and the modules of the inbox, as they are served."""

import gzip
import re
from pathlib import Path

import httpx2
import pytest

from tests.house.scripts import FOLDER, scripts
from tocsin.controllers.scripts import joined

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
COMPONENT = "/web/tocsin-inbox.js"
MAX_PACKED = 20_000
"""Bytes, gzipped, of all that `<tocsin-inbox>` loads."""


def directives(response: httpx2.Response) -> dict[str, str]:
    policy = response.headers["Content-Security-Policy"]
    return {name: value for name, _, value in (part.strip().partition(" ") for part in policy.split(";"))}


async def test_people_are_shown_the_page_and_programs_are_told_where_things_are(client: httpx2.AsyncClient) -> None:
    page, answer = await client.get("/", headers=HTML), await client.get("/")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>Tocsin</title>" in page.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"name", "version", "api", "openapi", "docs"}
    assert (await client.get(answer.json()["openapi"])).json()["openapi"]
    assert {page.headers["Vary"], answer.headers["Vary"]} == {"Accept, Accept-Encoding", "Accept"}


async def test_the_page_runs_and_shows_nothing_but_our_own_files(client: httpx2.AsyncClient) -> None:
    page = await client.get("/", headers=HTML)

    policy = directives(page)
    assert policy.pop("default-src") == "'none'"
    assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert {policy.pop(name) for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy == {"require-trusted-types-for": "'script'", "trusted-types": "'none'"}
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script>|<style|\son\w+=|style=", page.text)


async def test_what_the_page_refers_to_is_there_and_its_addresses_are_relative(client: httpx2.AsyncClient) -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', (await client.get("/", headers=HTML)).text)

    assert len(links) >= 4
    for link in links:
        assert re.match(r"[\w.]", link), "so that it works in a sub-path, too"
        assert (await client.get(f"/{link}")).status_code == 200, link


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("tocsin-inbox.js", "text/javascript; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_files_have_their_types_and_any_origin_may_load_them(
    client: httpx2.AsyncClient, name: str, media_type: str
) -> None:
    response = await client.get(f"/web/{name}", headers={"Origin": "https://elsewhere.example"})

    assert response.headers["Content-Type"] == media_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("path", ["/", COMPONENT])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_what_is_known_is_not_sent_again(client: httpx2.AsyncClient, path: str, encoding: str) -> None:
    first = await client.get(path, headers=HTML | {"Accept-Encoding": encoding})
    again = await client.get(path, headers=HTML | {"Accept-Encoding": encoding, "If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"
    assert "Accept-Encoding" in again.headers["Vary"]


async def test_packed_and_plain_are_the_same_with_tags_of_their_own(client: httpx2.AsyncClient) -> None:
    packed = await client.get(COMPONENT, headers={"Accept-Encoding": "gzip, br"})
    plain = await client.get(COMPONENT, headers={"Accept-Encoding": "identity"})
    refused = await client.get(COMPONENT, headers={"Accept-Encoding": "gzip;q=0"})

    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert packed.text == plain.text == refused.text
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "dom.js", "..%2Fsettings.py", "%2e%2e"])
async def test_nothing_else_is_served(client: httpx2.AsyncClient, name: str) -> None:
    assert (await client.get(f"/web/{name}")).status_code == 404


async def test_the_component_is_one_small_file(client: httpx2.AsyncClient) -> None:
    served = await client.get(COMPONENT, headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" in served.headers
    assert len(gzip.compress(served.content, 9)) <= MAX_PACKED
    assert not re.search(r"\bimport\b(?!\.meta)", re.sub(r'"[^"]*"', "", served.text)), "it loads nothing else"


def test_a_module_is_joined_once_after_what_it_needs() -> None:
    modules = {
        "a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";\n\nexport const a = b + c;\n',
        "b.js": 'import { c } from "./c.js";\n/** @type {number} */\nexport const b = c + 1; // why\n',
        "c.js": "export const c = 1;\n",
    }

    text = joined("a.js", modules.__getitem__)

    assert text.split() == ["let", "c=1;let", "b=c+1;let", "a=b+c;"]


def test_every_module_is_part_of_what_is_served() -> None:
    read: list[str] = []

    def reading(name: str) -> str:
        read.append(name)
        return (FOLDER / name).read_text("utf-8")

    joined("page.js", reading)

    assert sorted(read) == [Path(source.path).name for source in scripts()]


def test_what_only_a_class_can_name_gets_short_names() -> None:
    module = """
        export class A {
          #count = 0;
          get #double() { return 2 * this.#count; }
          is(other) { return #count in other && this.#double === other.#double && "#count" && "#fff"; }
        }
    """

    text = joined("a.js", {"a.js": module}.__getitem__)

    compared = 'return#a in other&&this.#b===other.#b&&"#count"&&"#fff";'
    assert text == f"export class A{{#a=0;get#b(){{return 2*this.#a;}}is(other){{{compared}}}}}"


def test_constants_and_classes_get_short_names_and_what_only_looks_like_one_keeps_its_own() -> None:
    module = """
        export const PAGE = 50;
        const FIRST_PAGE = PAGE;
        class Page extends Error {}
        ask("PAGE", "A PAGE.", `${PAGE}`, this.PAGE, { "PAGE": FIRST_PAGE }, GET, PAGES, new Page());
    """.replace("\n        ", "\n")

    text = joined("a.js", {"a.js": module}.__getitem__)

    assert text == (
        "let $a=50;let $b=$a;class $c extends Error{}"
        'ask("PAGE","A PAGE.",`${$a}`,this.PAGE,{"PAGE":$b},GET,PAGES,new $c());'
    )


def test_what_only_ends_a_line_is_left_out() -> None:
    module = "const a = [\n  1,\n  f(\n    2,\n  ),\n];\nfunction f() {\n  return /[.,]/;\n}\nconst b = `;\n`;\n"

    assert joined("a.js", {"a.js": module}.__getitem__) == "let a=[1,f(2)];function f(){return/[.,]/}let b=`;\n`;"
