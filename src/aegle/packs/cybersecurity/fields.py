"""Field names of tables, JSON lines and events: which entity a value is, and what a record ties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "host": "host hostname host_name host.name computer computername computer_name machine "
    "workstation server device_name agent.hostname dvc dvc_host beat.hostname "
    "depends_on connects_to upstream_host",
    "ip": "ip ip_address ipaddress ip_addr src_ip dst_ip source_ip dest_ip destination_ip sourceip "
    "destinationip client_ip clientip server_ip remote_ip remote_addr id.orig_h id.resp_h "
    "source.ip destination.ip client.ip host.ip src dst saddr daddr srcip dstip tx_hosts rx_hosts",
    "account": "user username user_name user.name account account_name accountname "
    "targetusername subjectusername ruser src_user dst_user login logon_account",
    "service": "service service_name servicename service.name",
    "process": "process process_name processname process.name image newprocessname program "
    "process.executable parent_process parentimage parentprocessname",
    "vulnerability": "cve cve_id cveid vulnerability vulnerability.id",
    "weakness": "cwe cwe_id cweid",
    "technique": "technique technique_id attack_technique threat.technique.id mitre_technique",
    "domain": "domain domain_name fqdn query qname dns.question.name server_name queryname sni",
    "url": "url uri request_url url.full url.original",
    "hash": "sha256 md5 sha1 hash file_hash file.hash.sha256 process.hash.sha256 ja3",
    "product": "product software product_name",
    "vendor": "vendor vendor_name manufacturer vendorproject",
    "file": "file_name filename targetfilename file.name attachment",
    "path": "file_path filepath path file.path",
    "email": "email mail sender recipient mailfrom rcptto from_address to_address",
    "port": "port src_port dst_port dest_port source_port destination_port id.orig_p id.resp_p "
    "source.port destination.port",
    "registry_key": "registry_key registry.path targetobject",
    "rule": "rule rule_name rule.name signature",
    "malware": "malware malware_family",
    "threat_group": "threat_group threat_actor actor",
    "device": "device device_id asset_tag assettag asset",
    "ward": "ward unit department",
}

COLUMNS: Final[Mapping[str, str]] = {
    name: type for type, names in _NAMES.items() for name in names.split()
}
"""Column or field name, lower case -> entity type."""

TIES: Final[Mapping[tuple[str, str], str]] = {
    ("host", "ip"): "has_address",
    ("host", "device"): "controls",
    ("host", "service"): "runs",
    ("host", "vulnerability"): "has_vulnerability",
    ("host", "ward"): "located_in",
    ("account", "host"): "logged_in_to",
    ("process", "host"): "ran_on",
    ("host", "domain"): "resolved",
    ("vulnerability", "product"): "affects",
    ("vulnerability", "weakness"): "has_weakness",
    ("product", "vendor"): "made_by",
    ("device", "ward"): "located_in",
}
"""(head type, tail type) -> relation type, for the entities of one row or record."""

ABSENT: Final = frozenset({"", "-", "n/a", "na", "none", "null", "unknown", "(empty)", "?", "*"})
"""Values that mean that there is none, lower case."""
