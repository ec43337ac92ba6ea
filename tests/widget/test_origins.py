"""Who may talk to the widget: the page that holds it, from an origin that the server allows. Nobody else."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.widget.conftest import Opened, make_token, site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FRAME = "<!doctype html><iframe src='{api}/widget/'></iframe>"
# What a foreign page tries, in a loop: to hand its own session and question to the widget, and answers to the host.
FOREIGN = """<!doctype html><script>
const widget = {widget};
setInterval(() => {{
  widget.postMessage({{type: "otklik.session", token: "{token}"}}, "*");
  widget.postMessage({{type: "otklik.question", question: "Чужой вопрос"}}, "*");
  parent.postMessage({{type: "otklik.answer", text: "Чужой ответ"}}, "*");
  window.tries = (window.tries || 0) + 1;
}}, 50);
</script>"""


async def test_messages_of_a_foreign_frame_beside_it_are_not_read(host: Opened) -> None:
    one = await host()
    token = await make_token(one.desk, "чужой")
    async with site(lambda: FOREIGN.format(widget="parent.frames[0]", token=token)) as foreign:
        async with one.page.expect_event("framenavigated", lambda frame: frame.url.startswith(foreign)) as opening:
            await one.page.evaluate(
                "(url) => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))", foreign
            )
        frame = await opening.value
        await frame.wait_for_function("window.tries > 5", polling=50)
        await expect(one.frame.locator("#state")).to_have_text("Жду вопроса клиента")
        await expect(one.frame.locator("#asked")).to_be_hidden()
        assert await one.heard() == []
        # The page that holds it is heard all the while.
        await one.session()
        await one.ask("Свой вопрос")
        await expect(one.frame.locator("#question")).to_have_text("Свой вопрос")


async def test_messages_of_a_foreign_opener_are_not_read(host: Opened) -> None:
    one = await host()
    token = await make_token(one.desk, "чужой")
    script = FOREIGN.format(widget=f'open("{one.desk.url}/widget/")', token=token)
    async with site(lambda: script) as foreign:
        page = await one.page.context.new_page()
        async with one.page.context.expect_page() as opening:
            await page.goto(foreign)
        widget = await opening.value
        await page.wait_for_function("window.tries > 5")
        await expect(widget.locator("#state")).to_have_text("Жду вопроса клиента")


async def test_a_foreign_page_cannot_hold_it(host: Opened) -> None:
    one = await host()
    async with site(lambda: FRAME.format(api=one.desk.url)) as foreign:
        page = await one.page.context.new_page()
        async with page.expect_console_message(lambda line: "frame-ancestors" in line.text):
            await page.goto(foreign)
        assert await page.frame_locator("iframe").locator("main").count() == 0
