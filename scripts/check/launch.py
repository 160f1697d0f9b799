"""Reads the launch files for SkyPilot, dstack and Kubeflow with those projects' own models.

Run by make launch-check. Kubernetes' files are make lint's.
"""

import os
import pathlib
import sys
import tempfile

import yaml

launch = pathlib.Path(__file__).resolve().parents[1] / "launch"


def skypilot():
    """SkyPilot's Task.from_yaml checks its schema, and that mounted folders exist."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, SKYPILOT_DISABLE_USAGE_COLLECTION="1")
        os.mkdir(os.path.join(home, "photos"))
        os.chdir(launch.parents[1])
        import sky

        task = sky.Task.from_yaml(str(launch / "skypilot/orrery.yaml"))
        assert task.storage_mounts["/runs"].name == "orrery-runs"


def dstack():
    from dstack._internal.core.models.configurations import parse_apply_configuration

    for path in sorted((launch / "dstack").glob("*.dstack.yml")):
        parse_apply_configuration(yaml.safe_load(path.read_text()))


def kubeflow():
    """Every key must be one of the operator's API; values of the plain kinds must be of their type."""
    from kubeflow.training import models as ours
    from kubernetes.client import models as theirs

    plain = {"str": str, "int": int, "bool": bool, "object": object}

    def check(value, kind, where):
        if kind.startswith("list["):
            for i, item in enumerate(value):
                check(item, kind[5:-1], f"{where}[{i}]")
        elif kind.startswith("dict("):
            for key, item in value.items():
                check(item, kind[5:-1].split(", ")[1], f"{where}.{key}")
        elif kind in plain:
            if not isinstance(value, plain[kind]):
                raise TypeError(f"{where} is {value!r}, want {kind}")
        else:
            model = getattr(ours, kind, None) or getattr(theirs, kind)
            names = {key: name for name, key in model.attribute_map.items()}
            for key, item in value.items():
                if key not in names:
                    raise KeyError(f"{where} has no {key}")
                check(item, model.openapi_types[names[key]], f"{where}.{key}")

    path = launch / "kubernetes/pytorchjob/pytorchjob.yaml"
    check(yaml.safe_load(path.read_text()), "KubeflowOrgV1PyTorchJob", path.name)


failed = False
for reader in (skypilot, dstack, kubeflow):
    try:
        reader()
        print(f"{reader.__name__}: accepted")
    except Exception as e:  # whatever these projects raise
        failed = True
        print(f"{reader.__name__}: {type(e).__name__}: {e}", file=sys.stderr)
sys.exit(failed)
