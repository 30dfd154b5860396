"""A training as a job for a cluster: a recipe into the YAML of Kubernetes or of Azure ML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core import plugins
from aegle.core.errors import InputError

_PORT: Final = 29500
"""Torch's own; where the processes of several machines meet."""

_USER: Final = 10001
"""No user of the host; what the image's files belong to doesn't matter, for they are only read."""

_SCHEMA: Final = "https://azuremlschemas.azureedge.net/latest/commandJob.schema.json"


@dataclass(frozen=True, slots=True)
class Job:
    """What a cluster has to know beside the recipe.

    Attributes:
        image: with Aegle and the extra ``train``, by its digest if it is to stay the same.
        nodes: machines (pods, instances).
        cpus, memory, gpus: of each; memory as Kubernetes writes it.
        data, runs: of Kubernetes names of persistent volume claims (``runs`` for all pods to
            write), of Azure ML paths of a datastore.
        compute: Azure ML's cluster.
        grace_s: between SIGTERM and the end, for the step and the checkpoint.
        retries: how often it is begun again, from its last checkpoint.
        limit_s: it is ended after so many seconds.
    """

    image: str
    nodes: int = 1
    cpus: int = 4
    memory: str = "16Gi"
    gpus: int = 0
    data: str = "data"
    runs: str = "runs"
    compute: str = "train"
    grace_s: int = 300
    retries: int = 3
    limit_s: int = 7 * 86_400


def kubernetes(
    recipe: Path, job: Job, *, changes: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """A recipe as objects of Kubernetes: the recipe itself, who may talk to whom, the job.

    The pods are nobody's user, see their root read-only, hold no token, and reach each other and
    the cluster's name server alone. A pod that is ended gets SIGTERM and leaves a checkpoint; the
    one in its place goes on from there.

    Args:
        recipe: a YAML file of a kind that trains a generator; its ``extends`` is resolved.
        job: what it needs.
        changes: dotted names of the recipe and their values.

    Raises:
        InputError: the recipe can't be read, or its processes can't be shared by the machines.
    """
    tree, told, each = _read(recipe, job, changes)
    name = _name(told.name)
    label = {"app.kubernetes.io/name": "aegle", "app.kubernetes.io/instance": name}
    dump = plugins.load("yaml:safe_dump")
    meta = {"name": name, "labels": label}
    text = dump(tree, sort_keys=False, allow_unicode=True)
    found = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"recipe.yaml": text}},
        _network(name, label),
    ]
    if job.nodes > 1:
        found.append(_service(name, label))
    return [*found, _job(name, label, job, each)]


def azureml(recipe: Path, job: Job, *, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A recipe as a command job of Azure ML (CLI v2), whose folder is uploaded.

    Args:
        recipe, job, changes: as for `kubernetes`.

    Raises:
        InputError: as for `kubernetes`; the whole folder is uploaded, so it may hold only YAML.
    """
    _, told, each = _read(recipe, job, changes)
    others = [one.name for one in sorted(recipe.resolve().parent.iterdir()) if not _uploads(one)]
    if others:
        raise InputError(
            f"{recipe.parent} is uploaded to Azure as a whole and holds {others[0]}; move the "
            "recipe into a folder of recipes alone"
        )
    given = (changes or {}).items()
    sets = [f"--set {shlex.quote(key)}={_plain(value)}" for key, value in given]
    file = shlex.quote(recipe.name)
    words = [
        f"aegle train {file} --data ${{{{inputs.data}}}} --out ${{{{outputs.runs}}}}",
        "--resume-if-any --no-track --json",
        *sets,
    ]
    found: dict[str, Any] = {
        "$schema": _SCHEMA,
        "type": "command",
        "display_name": told.name,
        "experiment_name": "aegle",
        "code": str(recipe.resolve().parent),
        "command": " ".join(words),
        "environment": {"image": job.image},
        "environment_variables": {"LOCAL_WORLD_SIZE": str(each), "HF_HUB_OFFLINE": "1"},
        "compute": f"azureml:{job.compute}",
        "inputs": {"data": {"type": "uri_folder", "path": job.data, "mode": "ro_mount"}},
        "outputs": {"runs": {"type": "uri_folder", "path": job.runs, "mode": "rw_mount"}},
        "resources": {"instance_count": job.nodes, "shm_size": "2g"},
        "limits": {"timeout": job.limit_s},
    }
    if told.parallel.processes > 1:
        found["distribution"] = {"type": "pytorch", "process_count_per_instance": each}
    return found


def _read(
    recipe: Path, job: Job, changes: Mapping[str, Any] | None
) -> tuple[dict[str, Any], Any, int]:
    """(the recipe's keys, the recipe, its processes on each machine)."""
    tree: dict[str, Any] = plugins.load("aegle.train.keys:read_tree")(
        recipe, changes=dict(changes or {})
    )
    kind = str(tree.get("kind") or "")
    if not kind:
        raise InputError(f"{recipe}: an encoder's recipe has no kind, and trains in one process")
    told = plugins.load("aegle.train.causal.kinds:reader")(kind)(
        recipe, changes=dict(changes or {})
    )
    parallel = getattr(told, "parallel", None)
    if parallel is None:
        raise InputError(f"{recipe}: a recipe of the kind {kind} can't be made a job yet")
    if parallel.launcher == "ray":
        raise InputError(f"{recipe}: parallel.launcher ray starts its own workers; say local")
    if parallel.processes % job.nodes:
        raise InputError(
            f"parallel.processes is {parallel.processes}, which {job.nodes} machines can't share "
            f"evenly; set it to a multiple of {job.nodes}"
        )
    each = parallel.processes // job.nodes
    if job.gpus and job.gpus < each:
        raise InputError(
            f"{each} processes on a machine need as many GPUs, and it has {job.gpus}; set "
            f"parallel.processes to {job.gpus * job.nodes}"
        )
    return tree, told, each


def _job(name: str, label: dict[str, str], job: Job, each: int) -> dict[str, Any]:
    spec: dict[str, Any] = {
        # A pod that is lost ends the others, and each counts as a failure.
        "backoffLimit": job.retries * job.nodes,
        "activeDeadlineSeconds": job.limit_s,
        "podReplacementPolicy": "Failed",  # or two would write one checkpoint
        "template": {"metadata": {"labels": label}, "spec": _pod(name, job, each)},
    }
    if job.nodes > 1:
        spec |= {"completionMode": "Indexed", "completions": job.nodes, "parallelism": job.nodes}
    meta = {"name": name, "labels": label}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def _pod(name: str, job: Job, each: int) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": job.grace_s,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(name, job, each)],
        "volumes": [
            {"name": "recipe", "configMap": {"name": name}},
            {"name": "data", "persistentVolumeClaim": {"claimName": job.data, "readOnly": True}},
            {"name": "runs", "persistentVolumeClaim": {"claimName": job.runs}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
        ],
    }
    if job.nodes > 1:
        pod["subdomain"] = name
    return pod


def _container(name: str, job: Job, each: int) -> dict[str, Any]:
    train = ["train", "/recipe/recipe.yaml", "--data", "/data", "--out", "/runs"]
    train += ["--resume-if-any", "--no-track", "--json"]
    words = ["aegle", *train]
    if job.nodes > 1:
        words = [
            "torchrun",
            f"--nnodes={job.nodes}",
            f"--nproc-per-node={each}",
            "--node-rank=$(JOB_COMPLETION_INDEX)",
            f"--master-addr={name}-0.{name}",
            f"--master-port={_PORT}",
            "-m",
            "aegle",
            *train,
        ]
    needs = {"cpu": str(job.cpus), "memory": job.memory}
    needs |= {"nvidia.com/gpu": str(job.gpus)} if job.gpus else {}
    told = {"HOME": "/tmp", "HF_HUB_OFFLINE": "1", "AEGLE_CACHE": "/runs/.cache"}  # noqa: S108 - the pod's own
    return {
        "name": "train",
        "image": job.image,
        "command": words,
        "env": [{"name": key, "value": value} for key, value in told.items()],
        "resources": {"requests": needs, "limits": needs},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "recipe", "mountPath": "/recipe", "readOnly": True},
            {"name": "data", "mountPath": "/data", "readOnly": True},
            {"name": "runs", "mountPath": "/runs"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
        ],
    }


def _service(name: str, label: dict[str, str]) -> dict[str, Any]:
    """A name for each pod, by which the others find the first."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": label},
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": label},
    }


def _network(name: str, label: dict[str, str]) -> dict[str, Any]:
    """Pods of this job talk to each other and to the name server alone."""
    peers = [{"podSelector": {"matchLabels": label}}]
    names = [{"port": 53, "protocol": one} for one in ("UDP", "TCP")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": label},
        "spec": {
            "podSelector": {"matchLabels": label},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}],
            "egress": [{"to": peers}, {"ports": names}],
        },
    }


def _name(told: str) -> str:
    """A recipe's name as Kubernetes takes it: RFC 1123, with room for a pod's number."""
    found = re.sub(r"[^a-z0-9]+", "-", told.lower()).strip("-")[:50].strip("-")
    if not found:
        raise InputError(f"a recipe named {told!r} gives a job no name; use letters or digits")
    return f"aegle-{found}"


def _plain(value: Any) -> str:
    """A change's value as a shell word."""
    dump = plugins.load("json:dumps")
    quote = plugins.load("shlex:quote")
    return str(quote(value if isinstance(value, str) else dump(value)))


def _uploads(path: Path) -> bool:
    return path.is_file() and path.suffix in (".yaml", ".yml")
