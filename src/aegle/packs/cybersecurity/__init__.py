"""Cybersecurity: logs, events, STIX, Sigma, CVE, threat reports; ATT&CK, CWE and IOCs."""

from aegle.core.pack import Pack
from aegle.packs.cybersecurity.fields import COLUMNS, TIES

_HERE = "aegle.packs.cybersecurity"

PACK = Pack(
    name="cybersecurity",
    title="Cybersecurity",
    readers={
        "stix": f"{_HERE}.readers.stix:StixReader",
        "sigma": f"{_HERE}.readers.sigma:SigmaReader",
        "cve": f"{_HERE}.readers.cve:CveReader",
        "kev": f"{_HERE}.readers.kev:KevReader",
        "windows": f"{_HERE}.readers.windows:WindowsEventReader",
        "zeek": f"{_HERE}.readers.zeek:ZeekReader",
        "syslog": f"{_HERE}.readers.syslog:SyslogReader",
        "access": f"{_HERE}.readers.access:AccessLogReader",
        "lines": f"{_HERE}.readers.lines:LogLinesReader",
        "jsonl": f"{_HERE}.readers.jsonl:JsonLinesReader",
        "report": f"{_HERE}.readers.report:ThreatReportReader",
    },
    recognisers=f"{_HERE}.identifiers:recognisers",
    keeps=frozenset({"ip", "url", "device", "account", "date", "place"}),
    shifts_dates=False,
    terms=f"{_HERE}.ontology:terms",
    terms_version="1",
    terminologies={
        "*capec*.json*": f"{_HERE}.releases:capec_terms",
        "d3fend*.ttl*": f"{_HERE}.releases:d3fend_terms",
    },
    patterns=f"{_HERE}.patterns:patterns",
    cues=f"{_HERE}.cues:cues",
    rules=f"{_HERE}.rules:rules",
    columns=COLUMNS,
    ties=TIES,
    tags=f"{_HERE}.tags:tags",
    doubts=f"{_HERE}.identifiers:doubts",
    critical={"security": ("malware", "vulnerability")},
)
