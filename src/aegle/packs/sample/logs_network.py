"""Ordinary traffic: Zeek connections and names, the proxy, the patient portal."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from aegle.packs.sample import formats
from aegle.packs.sample.formats import Entry
from aegle.packs.sample.marks import identifier
from aegle.packs.sample.world import Host, World

SITES: Final = (
    "updates.example.com", "guidelines.example.org", "journals.example.org", "news.example.com",
    "weather.example.com", "telemetry.example.com", "pharmacy-ref.example.org", "cdn.example.com",
)  # fmt: skip
AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/122.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0",
)
_PAGES: Final = ("results", "messages", "appointments", "medications", "billing", "profile")
# Share of a day's human traffic in each hour: handovers at 7 and 19, little at night.
RHYTHM: Final = (2, 1, 1, 1, 1, 2, 5, 12, 10, 9, 9, 8, 7, 8, 9, 8, 7, 6, 5, 9, 6, 4, 3, 2)


def moment(rng: random.Random, world: World, *, busy: bool = True) -> datetime:
    """A moment of the story's days, mostly by day when people make it."""
    hour = rng.choices(range(24), RHYTHM)[0] if busy else rng.randrange(24)
    return world.start + timedelta(
        days=rng.randrange(world.days), hours=hour, seconds=rng.randrange(3600),
        milliseconds=rng.randrange(1000),
    )  # fmt: skip


def burst(rng: random.Random, start: datetime, count: int) -> Iterator[datetime]:
    """Moments close together: people and programs do things in runs, not one at a time."""
    when = start
    for _ in range(count):
        yield when
        when += timedelta(seconds=rng.randint(1, 25), milliseconds=rng.randrange(1000))


def uid(rng: random.Random) -> str:
    """A Zeek connection id."""
    return "C" + "".join(
        rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789", k=16)
    )


def lines(world: World) -> Iterator[Entry]:
    """Every line of ordinary traffic, in no order."""
    rng = world.rng("network")
    stations = [h for h in world.hosts if h.name.startswith("WS-")]
    for _ in range(world.days * 20):
        host = rng.choice(stations)
        for when in burst(rng, moment(rng, world), 7):
            yield from _visit(rng, when, host)
    gateways = [h for h in world.hosts if h.service == "pump-gateway"]
    for _ in range(world.days * 14):
        host = rng.choice(gateways)
        for when in burst(rng, moment(rng, world, busy=False), 9):
            yield _conn(rng, when, host, "10.20.1.21", "2575", "-")
    for _ in range(world.days * 9):
        host = rng.choice(stations)
        for when in burst(rng, moment(rng, world), 7):
            yield _conn(rng, when, host, "10.20.1.11", "443", "ssl")
    yield from _portal(rng, world)


def _conn(
    rng: random.Random, when: datetime, host: Host, other: str, port: str, service: str
) -> Entry:
    row = [uid(rng), host.ip, str(rng.randint(49152, 65000)), other, port, "tcp", service,
           f"{rng.uniform(0.01, 40):.6f}", str(rng.randint(80, 9000)), str(rng.randint(80, 90000)),
           "SF"]  # fmt: skip
    return Entry("logs/zeek/conn.log", when, formats.zeek(when, row))


def _visit(rng: random.Random, when: datetime, host: Host) -> Iterator[Entry]:
    site = rng.choice(SITES)
    address = f"192.0.2.{10 + SITES.index(site)}"
    row = [uid(rng), host.ip, str(rng.randint(49152, 65000)), "10.20.2.53", "53", "udp", site, "A",
           "NOERROR", address]  # fmt: skip
    yield Entry("logs/zeek/dns.log", when, formats.zeek(when, row))
    size = rng.randint(300, 90000)
    if rng.random() < 0.6:
        text = formats.proxy(when, host.ip, "CONNECT", f"{site}:443", 200, size)
    else:
        page = f"http://{site}/{rng.choice(('index', 'feed', 'a', 'search'))}.html"
        text = formats.proxy(when, host.ip, "GET", page, rng.choice((200, 200, 304, 404)), size)
    yield Entry("logs/proxy/access.log", when, text)


def _portal(rng: random.Random, world: World) -> Iterator[Entry]:
    for patient in world.patients:
        agent, client = rng.choice(AGENTS), identifier("ip", patient.contact.ip)
        for _ in range(rng.randint(2, 4 + world.days)):
            when = moment(rng, world)
            for page in rng.sample(_PAGES, rng.randint(1, 4)):
                request = f"GET /{page} HTTP/1.1"
                status, size = rng.choice((200, 200, 200, 302, 404)), rng.randint(400, 30000)
                text = formats.access(when, client, request, status, size, agent)
                yield Entry("logs/portal/access.log", when, text)
                when += timedelta(seconds=rng.randint(3, 80))
    for _ in range(world.days * 8):
        when = moment(rng, world, busy=False)
        request = rng.choice(
            ("GET /.env HTTP/1.1", "GET /wp-login.php HTTP/1.1", "HEAD / HTTP/1.1")
        )
        text = formats.access(
            when, f"203.0.113.{rng.randrange(251, 255)}", request, 404, 153, "zgrab/0.x"
        )
        yield Entry("logs/portal/access.log", when, text)
