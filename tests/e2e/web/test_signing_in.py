"""Ways in and out: a link, a token, a service key."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import httpx2
import pytest
from playwright.async_api import Request, expect

from tests.e2e.api import new_user
from tests.e2e.up import Up
from tests.e2e.web.reader import Inbox, Library, Reader

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

STORED = "JSON.stringify([{ ...sessionStorage }, { ...localStorage }])"


async def type_credential(reader: Reader, credential: str) -> None:
    await reader.page.get_by_label("Service key or inbox token").fill(credential)
    await reader.button("Open the inbox").click()


async def test_a_token_in_a_link_opens_the_inbox_and_is_in_no_address_after(
    reader: Reader, library: Library, inbox: Inbox, up: Up
) -> None:
    token = await inbox.token()
    sent: list[Request] = []
    reader.page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - Playwright takes no built-in method
    await inbox.post("Hello", link="https://example.com/")

    await reader.open(token)
    await reader.shows("Hello")

    assert reader.page.url == f"{reader.url}/"
    assert await reader.page.evaluate("history.length") == 2, "the blank page before, and this"
    assert len(sent) > 5
    for request in sent[1:]:
        assert token not in request.url
        assert "referer" not in await request.all_headers()
    assert token not in up.output
    await reader.page.reload()
    await reader.shows("Hello")
    stranger = await library.reader(beside=reader)
    await stranger.page.goto(stranger.url)
    await expect(stranger.page.get_by_label("Service key or inbox token")).to_be_visible()


async def test_a_second_link_in_the_same_tab_opens_the_other_inbox(reader: Reader, inbox: Inbox) -> None:
    other = Inbox(inbox.api, new_user())
    await inbox.post("Mine")
    await other.post("Theirs")
    await reader.open(await inbox.token())
    await reader.shows("Mine")

    await reader.page.evaluate("token => { location.hash = `token=${token}` }", await other.token())

    await reader.shows("Theirs")
    assert reader.address == ""


async def test_what_is_typed_at_once_goes_into_the_only_field(reader: Reader) -> None:
    await reader.page.goto(reader.url)

    await expect(reader.page.get_by_label("Service key or inbox token")).to_be_focused()


async def test_an_inbox_token_can_be_typed_and_signing_out_forgets_it(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Hello")
    await reader.page.goto(reader.url)
    await expect(reader.page.get_by_role("link", name="API")).to_have_attribute("href", f"{reader.url}/docs")

    await type_credential(reader, "nonsense")
    await expect(reader.page.get_by_role("alert")).to_contain_text("does not know this key or token")
    await type_credential(reader, await inbox.token())
    await reader.shows("Hello")
    await reader.button("Sign out").click()

    await expect(reader.page.get_by_label("Service key or inbox token")).to_be_empty()
    assert await reader.page.evaluate(STORED) == "[{},{}]"
    await reader.page.reload()
    await expect(reader.button("Open the inbox")).to_be_visible()


async def test_a_service_key_chooses_the_inbox_and_is_kept_nowhere(reader: Reader, inbox: Inbox, up: Up) -> None:
    other = Inbox(inbox.api, new_user())
    await other.post("In the other inbox")
    await inbox.post("In this inbox")
    await reader.page.goto(reader.url)
    await type_credential(reader, up.status["service_key"])

    await reader.page.get_by_role("button", name=inbox.user).click()
    await reader.shows("In this inbox")
    assert up.status["service_key"] not in await reader.page.evaluate(STORED)
    await reader.button("All inboxes").click()
    await reader.page.get_by_label("User id").fill("7")
    await reader.button("Open").last.click()
    await expect(reader.page.get_by_role("alert")).to_have_text("This is not a UUID.")
    await reader.page.get_by_label("User id").fill(other.user.upper())
    await reader.page.get_by_label("User id").press("Enter")
    await reader.shows("In the other inbox")

    await reader.page.reload()
    await reader.shows("In the other inbox")
    await expect(reader.button("All inboxes")).to_have_count(0)


async def test_a_service_key_that_may_not_read_is_told_so(reader: Reader, up: Up, write_only_key: str) -> None:
    await reader.page.goto(reader.url)

    await type_credential(reader, write_only_key)

    await expect(reader.page.get_by_role("alert")).to_contain_text("lacks the scope 'notifications:read'")


async def test_access_that_is_over_leads_back_to_the_form(reader: Reader, inbox: Inbox) -> None:
    await inbox.post("Hello")
    await reader.open(await inbox.token(ttl=3))
    await reader.shows("Hello")

    await expect(reader.page.get_by_role("alert")).to_contain_text("The access to this inbox is over")

    await expect(reader.rows).to_have_count(0)
    await expect(reader.page).to_have_title("Tocsin")
    assert await reader.page.evaluate(STORED) == "[{},{}]"


async def test_a_link_that_is_no_good_says_which_way_and_offers_the_form(reader: Reader, inbox: Inbox) -> None:
    alert = reader.page.get_by_role("alert")
    await reader.page.goto(f"{reader.url}/#token=garbage")
    await expect(alert).to_contain_text("This link opens no inbox: it is damaged")
    await expect(reader.page.get_by_label("Service key or inbox token")).to_be_focused()
    assert reader.address == ""

    # Cut off on its way, as mail programs do.
    await reader.page.goto(f"{reader.url}/#token={(await inbox.token())[:-9]}")
    await expect(alert).to_contain_text("This link opens no inbox: it is damaged")

    head, claims, signature = (await inbox.token()).split(".")
    over = json.loads(urlsafe_b64decode(f"{claims}==")) | {"exp": 1_700_000_000}
    claims = urlsafe_b64encode(json.dumps(over).encode()).decode().rstrip("=")
    await reader.page.goto(f"{reader.url}/#token={head}.{claims}.{signature}")
    await expect(alert).to_contain_text("The access to this inbox is over")


async def test_tocsin_up_prints_a_link_that_opens_the_demo_inbox(
    reader: Reader, up: Up, http: httpx2.AsyncClient
) -> None:
    link = up.status["inbox_url"]
    assert link in up.output

    await reader.page.goto(link)

    await reader.is_live()
    assert reader.page.url == f"{up.status['url']}/"
