"""Links from alerts and comments to a job: in the bot, and on the page."""

from __future__ import annotations

from dataclasses import replace

from scar.bootstrap import Services
from scar.chat.alert_document import alert_links
from scar.document import Document
from scar.frontends.github.render import to_markdown
from scar.frontends.telegram.render import to_html
from scar.jobs.links import Links
from scar.jobs.signing import Signatures
from tests.contract.test_alerts import alert_of

PAGE = "https://scar.example.org"
IN_BOT = "https://t.me/shop_bot?start=job_01J"


def links_of(services: Services, part: str, page: str | None = None) -> Links:
    return Links(services.redis, Signatures.of(services.settings, part), page)


def test_a_job_is_linked_in_the_bot_that_has_said_its_name_and_on_the_page(
    services: Services,
) -> None:
    assert links_of(services, "github").of_job("01J") == ()
    links_of(services, "github").introduce("evil_bot")
    assert links_of(services, "outbound").of_job("01J") == (), "another part's word for it"
    links_of(services, "telegram").introduce("shop_bot")
    links = links_of(services, "outbound", PAGE).of_job("01J")
    assert [link.url for link in links] == [IN_BOT, f"{PAGE}/jobs/01J"]
    document = Document.of("Done").with_links(links)
    assert f"[This job in Telegram](<{IN_BOT}>) · [" in to_markdown(document)
    assert f'<a href="{IN_BOT}">This job in Telegram</a> · <a' in to_html(document)


def test_an_alert_links_to_its_deploy_and_its_project(services: Services) -> None:
    links_of(services, "telegram").introduce("shop_bot")
    links, alert = links_of(services, "outbound", PAGE), alert_of()
    assert alert.release is not None
    assert [link.url for link in alert_links([alert], links)] == [
        f"https://t.me/shop_bot?start=job_{alert.release.id}",
        f"{PAGE}/jobs/{alert.release.id}",
        f"{PAGE}/projects/shop",
    ]
    other = replace(alert, id="B", container="shop-db-1", service="db")
    assert [link.url for link in alert_links([alert, other], links)] == [f"{PAGE}/projects/shop"]
    assert alert_links([replace(alert, project="", container="")], links) == ()
