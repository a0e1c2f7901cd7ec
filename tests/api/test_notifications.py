"""The main job over HTTP: create, get, list."""

from uuid import uuid4

import httpx2

PATH = "/api/v1/notifications"


async def test_a_created_notification_can_be_got(client: httpx2.AsyncClient, service_key: str) -> None:
    headers = {"Authorization": f"Bearer {service_key}"}
    body = {"user_id": str(uuid4()), "title": "Backup", "text": "The backup failed.", "data": {"disk": "sda1"}}

    created = await client.post(PATH, json=body, headers=headers)

    assert created.status_code == 201
    assert created.json().items() >= body.items()
    assert created.json()["processing_status"] == "pending"
    got = await client.get(created.headers["Location"], headers=headers)
    assert got.json() == created.json()
