"""What people type finds what they mean, in both languages."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import NOTIFICATIONS, create

TEXTS = {
    "payment": ("Payments failed", "The card of order 4711 was declined by the bank.", "billing"),
    "платёж": ("Платёж отклонён", "Банк отклонил платежи по заказу order-4712, сервер вернул HTTP/500.", None),
    "replica": ("db_primary is down", "Replication stopped: api.example.com does not answer on 10.0.0.7:5432", "pg-1"),
    "запуск": (
        "Запуск «Прожектор» прошёл",
        "Подключение к серверам есть. Подробности: https://ci.example.org/b/99",
        None,
    ),
    "mail": ("Out of memory", "Wörker w-17 restarts, tell ops+night@example.com (it was not the first time)", "k8s"),
}

FINDS = {
    # any form of a word, in any case
    "payment": {"payment"},
    "PAYMENTS": {"payment"},
    "fails": {"payment"},
    "replicate": {"replica"},
    "платеж": {"платёж"},
    "платежами": {"платёж"},
    "ПЛАТЁЖ": {"платёж"},
    "пла\u0442\u0435\u0308ж": {"платёж"},
    "прошел": {"запуск"},
    "прошёл": {"запуск"},
    "сервер": {"платёж", "запуск"},
    "банк": {"платёж"},
    # beginnings, while one types
    "p": {"payment", "replica"},
    "paym": {"payment"},
    "notthere": set(),
    "replicatio": {"replica"},
    "плат": {"платёж"},
    "подключени": {"запуск"},
    "restart": {"mail"},
    "card decl": {"payment"},
    # no word is too common
    "down": {"replica"},
    "not": {"replica", "mail"},
    "the": {"payment", "mail"},
    "по": {"платёж", "запуск"},
    # numbers, and names that programs give
    "4711": {"payment"},
    "4712": {"платёж"},
    "order-4712": {"платёж"},
    "order 4712": {"платёж"},
    "order_4712": {"платёж"},
    "#4712": {"платёж"},
    "HTTP/500": {"платёж"},
    "http 500": {"платёж"},
    "500": {"платёж"},
    "db_primary": {"replica"},
    "primary": {"replica"},
    "db": {"replica"},
    "api.example.com": {"replica"},
    "example.com": {"replica", "mail"},
    "example": {"replica", "запуск", "mail"},
    "10.0.0.7": {"replica"},
    "5432": {"replica"},
    "https://ci.example.org/b/99": {"запуск"},
    "ci.example.org": {"запуск"},
    "ops+night@example.com": {"mail"},
    "night@example": {"mail"},
    "w-17": {"mail"},
    "wörker": {"mail"},
    "pg-1": {"replica"},
    "k8s": {"mail"},
    "прожектор": {"запуск"},
    # all words, words in a row, words that must not be there, either
    "card bank": {"payment"},
    "bank card": {"payment"},
    "card server": set(),
    '"declined by the bank"': {"payment"},
    '"bank declined"': set(),
    '"failed the card"': set(),
    "“out of memory”": {"mail"},
    "«банк отклонил»": {"платёж"},
    '"out of mem': {"mail"},
    "example -replication": {"запуск", "mail"},
    'example -"api.example.com"': {"запуск", "mail"},
    "-example": {"payment", "платёж"},
    "card or банк": {"payment", "платёж"},
    "memory or card OR прожектор": {"mail", "payment", "запуск"},
    "4711 or 4712 банк": {"payment", "платёж"},
    # the title, the text and the source are searched, and nothing else
    "billing": {"payment"},
    "bill": {"payment"},
    "pending": set(),
    # no word in it
    "!!!": set(),
    "🔔": set(),
    '""': set(),
    "-": set(),
}


@pytest.fixture
async def inbox(api: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    """The texts, in one inbox."""
    user = uuid4()
    return {
        name: await create(api, user, title=title, text=text, source=source)
        for name, (title, text, source) in TEXTS.items()
    }


async def search(api: httpx2.AsyncClient, q: str, **query: object) -> list[str]:
    """Return the ids of the page."""
    response = await api.get(NOTIFICATIONS, params={"q": q, **{name: str(value) for name, value in query.items()}})
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


async def test_what_people_type_finds_what_they_mean(api: httpx2.AsyncClient, inbox: dict[str, dict[str, Any]]) -> None:
    user = inbox["payment"]["user_id"]
    names = {notification["id"]: name for name, notification in inbox.items()}
    wrong = {}
    for order in ("newest", "relevance"):
        for q, expected in FINDS.items():
            found = {names[one] for one in await search(api, q, user_id=user, order=order)}
            if found != expected:
                wrong[q] = found
    assert wrong == {}


async def test_across_inboxes_the_same_is_found(api: httpx2.AsyncClient, inbox: dict[str, dict[str, Any]]) -> None:
    names = {notification["id"]: name for name, notification in inbox.items()}
    for q, expected in FINDS.items():
        assert {names[one] for one in await search(api, q)} == expected, q
