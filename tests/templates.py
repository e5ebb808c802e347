"""The stacks' templates, rendered as Ansible does it, with the defaults of their role."""

import ast
import json
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[1]
CLOUD = ROOT / "compose/cloud"
_HEADER = "#jinja2:"


def defaults(role: str) -> dict[str, Any]:
    """Return what a role's variables are unless told otherwise; templates among them stay so."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    return read


def rendered(file: Path, **variables: Any) -> str:
    """Return a template's text; a variable that it names and nobody gave is an error."""
    text = file.read_text()
    options: dict[str, Any] = {}
    if text.startswith(_HEADER):
        header, _, text = text.partition("\n")
        pairs = (pair.split(":", 1) for pair in header.removeprefix(_HEADER).split(","))
        options = {name.strip(): ast.literal_eval(value.strip()) for name, value in pairs}
    options = {"trim_blocks": True, "keep_trailing_newline": True} | options
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, **options)
    environment.filters["to_json"] = json.dumps
    environment.filters["bool"] = bool
    environment.filters["difference"] = lambda these, those: [each for each in these if each not in those]
    return environment.from_string(text).render(inventory_hostname="cloud", **variables)
