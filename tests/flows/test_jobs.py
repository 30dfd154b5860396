"""Jobs of clusters are what Kubernetes' and Azure ML's own schemas take, and keep to the rules."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegle.cli import main
from aegle.core.errors import InputError
from aegle.flows import jobs

RECIPE = """
extends: base.yml
name: Wards_1
optimiser: {accumulation: 4}
"""
BASE = """
kind: sft
data: [{train: answers.jsonl, licence: ours, safe_because: made here}]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "base.yml").write_text(BASE)
    (folder / "wards.yaml").write_text(RECIPE)
    return folder / "wards.yaml"


def named(found: list[dict[str, Any]], kind: str) -> Any:
    (one,) = (one for one in found if one["kind"] == kind)
    return one


@pytest.mark.parametrize("nodes", [1, 2])
def test_kubernetes_takes_them(recipe: Path, nodes: int) -> None:
    check = pytest.importorskip("kubernetes_validate")
    about = jobs.Job(image="registry/aegle:1", nodes=nodes, gpus=2)
    found = jobs.kubernetes(recipe, about, changes={"parallel.processes": 4 if nodes == 2 else 2})
    kinds = [one["kind"] for one in found]
    assert kinds == ["ConfigMap", "NetworkPolicy", *["Service"] * (nodes > 1), "Job"]
    for one in found:
        check.validate(one, "1.34", strict=True)
    job = named(found, "Job")
    assert job["spec"]["backoffLimit"] == about.retries * nodes  # a lost pod ends the others
    job["spec"]["backofLimit"] = 1
    with pytest.raises(check.ValidationError):
        check.validate(job, "1.34", strict=True)


def test_a_pod_may_do_little_and_ends_with_a_checkpoint(recipe: Path) -> None:
    found = jobs.kubernetes(recipe, jobs.Job(image="a"), changes={"parallel.processes": 2})
    spec = named(found, "Job")["spec"]
    pod = spec["template"]["spec"]
    (box,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert box["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert box["resources"]["limits"] == box["resources"]["requests"]
    assert pod["terminationGracePeriodSeconds"] > 60
    assert spec["backoffLimit"] > 0 and "--resume-if-any" in box["command"]
    writable = {one["mountPath"] for one in box["volumeMounts"] if not one.get("readOnly")}
    assert writable == {"/runs", "/tmp", "/dev/shm"}
    carried = yaml.safe_load(named(found, "ConfigMap")["data"]["recipe.yaml"])
    assert "extends" not in carried and carried["kind"] == "sft"
    assert carried["parallel"] == {"processes": 2}
    assert named(found, "Job")["metadata"]["name"] == "aegle-wards-1"


def test_azure_ml_takes_them(recipe: Path) -> None:
    ml = pytest.importorskip("azure.ai.ml", reason="Azure's own schema comes with azure-ai-ml")
    path = "azureml://datastores/workspaceblobstore/paths/aegle"
    about = jobs.Job(image="registry/aegle:1", nodes=2, gpus=2, data=path, runs=f"{path}/runs")
    told = jobs.azureml(recipe, about, changes={"parallel.processes": 4})
    file = recipe.parent.parent / "job.yaml"
    file.write_text(yaml.safe_dump(told))
    read = ml.load_job(file)
    assert read.distribution.process_count_per_instance == 2
    assert read.resources.instance_count == 2
    assert "--set parallel.processes=4" in read.command
    assert read.inputs["data"].mode == "ro_mount"
    file.write_text(yaml.safe_dump({**told, "distribution": {"type": "torch"}}))
    with pytest.raises(Exception, match="distribution"):
        ml.load_job(file)


@pytest.mark.parametrize(
    ("more", "changes", "says"),
    [
        ({"nodes": 3}, {"parallel.processes": 4}, "3 machines can't share"),
        ({"gpus": 1}, {"parallel.processes": 2}, "need as many GPUs"),
        ({}, {"kind": "dpo", "optimiser": {}}, "can't be made a job"),
        ({}, {"parallel.proceses": 2}, "did you mean 'processes'"),
    ],
)
def test_what_no_cluster_could_run_is_refused(
    recipe: Path, more: Any, changes: Any, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        jobs.kubernetes(recipe, jobs.Job(image="a", **more), changes=changes)


def test_only_recipes_are_uploaded_to_azure(recipe: Path) -> None:
    (recipe.parent / "notes.txt").write_text("of a patient")
    with pytest.raises(InputError, match=r"holds notes\.txt; move the recipe"):
        jobs.azureml(recipe, jobs.Job(image="a"))


def test_the_command_prints_yaml(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["job", str(recipe), "--on", "kubernetes", "--image", "a", "--processes", "2"]
    monkeypatch.setattr(sys, "argv", ["aegle", *words])
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    found = list(yaml.safe_load_all(out.getvalue()))
    assert found == jobs.kubernetes(recipe, jobs.Job(image="a"), changes={"parallel.processes": 2})
