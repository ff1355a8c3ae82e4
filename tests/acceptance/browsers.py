"""A real browser without a window, for what a page does with the answers of a server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.lacking import skip_or_fail

PATIENCE_S = 30
_WHILE_A_PAGE_CHANGES = (StaleElementReferenceException, ElementClickInterceptedException, LookupError, ValueError)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # root, as in containers, has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,1000",
)


class Page:
    """What a person does on a page: looks for a text, clicks on it, waits for what comes."""

    def __init__(self, driver: WebDriver, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until ``condition`` returns something true, and return that; the page may change while it looks."""
        waiting = WebDriverWait(self.driver, PATIENCE_S, ignored_exceptions=_WHILE_A_PAGE_CHANGES)
        return waiting.until(lambda _: condition())

    def find(self, selector: str, text: str) -> WebElement:
        """Wait for an element that shows the text, in whatever case the style sheet makes of it."""

        def found() -> WebElement | None:
            elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in elements if element.text.casefold() == text.casefold()), None)

        return self.wait(found)

    def click(self, selector: str, text: str) -> None:
        self.wait(lambda: self.find(selector, text).click() is None)

    def fill(self, name: str, text: str) -> None:
        """Put a text into the field of a form instead of what stands there."""
        keys = ("\ue009a\ue000", text)  # Ctrl-A
        self.wait(lambda: self.driver.find_elements(By.NAME, name)[0].send_keys(*keys) is None)

    def rows(self) -> list[list[str]]:
        """Return the cells of each row of the tables that are shown."""
        script = "return [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(c => c.innerText))"
        return self.driver.execute_script(script)


@contextmanager
def browser(directory: Path) -> Iterator[Page]:
    """Start a browser that keeps everything in ``directory``; skip where none is installed."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        skip_or_fail("no Chromium with its chromedriver is installed (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in (*_SWITCHES, f"--user-data-dir={directory / 'profile'}"):
        options.add_argument(switch)
    downloads = directory / "downloads"
    downloads.mkdir()
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    # With both paths given, Selenium looks for neither, and downloads nothing.
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Page(started, downloads)
    finally:
        started.quit()
