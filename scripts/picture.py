"""Take pictures of the console: docs/console.png for the README, others with --all.

    python scripts/picture.py --workspace demo/workspace [--all OUT]

Starts a server on the workspace and drives a headless Chromium from the system.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
QUESTION = "Which devices are in CARDIO-2?"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def server(workspace: Path) -> Iterator[str]:
    """A server on a workspace; its address."""
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(workspace), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http"))
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}readyz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        sys.exit("no Chromium found; install the system's package")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()


def ask(page: Page, address: str, question: str) -> None:
    """Ask a question and wait for what comes."""
    page.goto(address)
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("What was found, and why").wait_for(timeout=60_000)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--entity", default="PUMP-0224")
    parser.add_argument("--to", default="CVE-2021-44228")
    parser.add_argument("--all", type=Path)
    args = parser.parse_args()
    with server(args.workspace) as address, browser() as chromium:
        for name, size in (("wide", WIDE), ("narrow", NARROW)):
            page = chromium.new_page(viewport=size)
            ask(page, address, args.question)
            if args.all is None:
                page.screenshot(path=ROOT / "docs" / "console.png")
                return
            args.all.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=args.all / f"ask-{name}.png", full_page=True)
            if page.locator(".a-cite").count():
                page.locator(".a-cite").first.click()
                page.locator(".a-doc mark").wait_for()
                page.wait_for_timeout(900)
                page.screenshot(path=args.all / f"source-{name}.png")
            ask(page, address, "Which pacemaker model does PUMP-9999 have?")
            page.screenshot(path=args.all / f"refusal-{name}.png")
            for what, to in (("graph", ""), ("path", args.to)):
                page.goto(f"{address}graph?entity={args.entity}&to={to}")
                page.wait_for_timeout(3500)
                page.screenshot(path=args.all / f"{what}-{name}.png", full_page=True)
            page.goto(f"{address}status")
            page.wait_for_timeout(1500)
            page.screenshot(path=args.all / f"status-{name}.png")
            page.close()


if __name__ == "__main__":
    main()
