"""Ordinary days between the devices and the record: pump gateways and the HL7 engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from aegle.packs.sample import formats
from aegle.packs.sample.formats import Entry
from aegle.packs.sample.logs_network import burst, moment
from aegle.packs.sample.world import World

_ALARMS: Final = (
    "E-104 air in line",
    "E-120 occlusion downstream",
    "E-031 battery low",
    "E-150 door open",
)


def lines(world: World) -> Iterator[Entry]:
    """Every line, in no order."""
    yield from _pumps(world)
    yield from _engine(world)


def _pumps(world: World) -> Iterator[Entry]:
    rng, path = world.rng("pumps"), "logs/devices/pump-gateway.log"
    for patient in world.patients:
        pump, drug = patient.pump, patient.illness.infusion
        for _ in range(world.days * 4):
            when = moment(rng, world, busy=False)
            if not patient.admit < when < (patient.discharge or world.end):
                continue
            kind, text, severity = "STATUS", f"{pump.tag} {pump.ward} running {drug}", 6
            if rng.random() < 0.12:
                kind, severity = "ALARM", 4
                text = f"{pump.tag} {pump.ward} ALARM {rng.choice(_ALARMS)}"
            elif rng.random() < 0.2:
                kind, text = (
                    "RATE",
                    f"{pump.tag} {pump.ward} rate confirmed {patient.infusion_rate}",
                )
            line = formats.syslog5424(when, pump.host, "infuselink", kind, text, severity=severity)
            yield Entry(path, when, line)


def _engine(world: World) -> Iterator[Entry]:
    rng, path = world.rng("engine"), "logs/hl7/interface-engine.log"
    starts = [moment(rng, world) for _ in range(world.days * 10)]
    for when in (at for start in starts for at in burst(rng, start, 7)):
        channel = rng.choice(("ADT_IN", "ORU_OUT", "PUMP_RATES", "ORM_IN"))
        control, took = rng.randrange(10**8, 10**9), rng.randint(8, 240)
        text = f"channel={channel} control={control} ack=AA duration_ms={took}"
        level = "INFO"
        if rng.random() < 0.04:
            level, text = (
                "WARN",
                f"channel={channel} control={control} ack=AE retry=1 reason=timeout",
            )
        yield Entry(
            path,
            when,
            f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d} {level} [hl7-eng01] {text}",
        )
    for number in range(world.days):
        when = world.start + timedelta(days=number, hours=3, minutes=15)
        yield Entry(
            path, when, f"{when:%Y-%m-%d %H:%M:%S},000 INFO [hl7-eng01] nightly archive finished"
        )
