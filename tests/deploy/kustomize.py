"""As much of kustomize as our manifests use, so that they can be looked at where there is none.

What it does not know it refuses, so that it never shows less than kustomize would. Names get no suffix of a hash here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
KNOWN = {"apiVersion", "kind", "namespace", "labels", "resources", "configMapGenerator", "patches", "images"}
MERGED_BY = {
    "containers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
"""Lists of a strategic merge patch that are merged item by item, and the key that tells items apart."""
PODS = {"Deployment", "Job"}
NOT_IN_A_NAMESPACE = {"Namespace"}


def render(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k FOLDER` would apply. Raises ValueError for what it does not know."""
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := told.keys() - KNOWN:
        raise ValueError(f"{folder}: {unknown} is not known here")
    found = [manifest for place in told["resources"] for manifest in _resource(folder / place)]
    for generator in told.get("configMapGenerator", []):
        _generate(folder, generator, found)
    for patch in told.get("patches", []):
        _patch(yaml.safe_load((folder / patch["path"]).read_text()), patch["target"], found)
    for manifest in found:
        _label(told.get("labels", []), manifest)
        _rename(told.get("images", []), manifest)
        if "namespace" in told and manifest["kind"] not in NOT_IN_A_NAMESPACE:
            manifest["metadata"]["namespace"] = told["namespace"]
    return found


def _resource(place: Path) -> Iterator[Manifest]:
    if place.is_dir():
        yield from render(place)
    else:
        yield from copy.deepcopy(list(yaml.safe_load_all(place.read_text())))


def _generate(folder: Path, generator: Manifest, found: list[Manifest]) -> None:
    """A ConfigMap of files and of NAME=value lines; `merge` and `replace` change the one that is there."""
    data = {name: (folder / name).read_text() for name in generator.get("files", [])}
    for name in generator.get("envs", []):
        lines = (folder / name).read_text().splitlines()
        data |= dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    mine = [one for one in found if one["kind"] == "ConfigMap" and one["metadata"]["name"] == generator["name"]]
    match generator.get("behavior", "create"), mine:
        case "create", []:
            labels = generator.get("options", {}).get("labels", {})
            metadata = {"name": generator["name"], "labels": dict(labels)}
            found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        case "merge", [one]:
            one["data"] |= data
        case "replace", [one]:
            one["data"] = data
        case behaviour, _:
            raise ValueError(f"{folder}: {generator['name']} cannot {behaviour}")


def _patch(patch: Manifest, target: Manifest, found: list[Manifest]) -> None:
    """A strategic merge into each manifest of this kind and name; the patch's own name says nothing."""
    hit = [
        one
        for one in found
        if re.fullmatch(target["kind"], one["kind"]) and re.fullmatch(target.get("name", ".*"), one["metadata"]["name"])
    ]
    if not hit:
        raise ValueError(f"nothing is {target}")
    for one in hit:
        _merge(one["spec"], copy.deepcopy(patch["spec"]))


def _merge(into: Manifest, patch: Manifest) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif key in MERGED_BY and key in into:
            _merge_items(into[key], value, MERGED_BY[key])
        else:
            into[key] = value


def _merge_items(into: list[Manifest], patch: list[Manifest], by: str) -> None:
    known = {item[by]: item for item in into}
    for item in patch:
        if item[by] in known:
            _merge(known[item[by]], item)
        else:
            into.append(item)


def _label(labels: list[Manifest], manifest: Manifest) -> None:
    for label in labels:
        manifest["metadata"].setdefault("labels", {}).update(label["pairs"])
        if label.get("includeTemplates") and manifest["kind"] in PODS:
            manifest["spec"]["template"]["metadata"].setdefault("labels", {}).update(label["pairs"])


def _rename(images: list[Manifest], manifest: Manifest) -> None:
    if manifest["kind"] in PODS:
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            name, _, tag = container["image"].partition(":")
            for image in images:
                if image["name"] == name:
                    container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"
