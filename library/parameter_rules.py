#!/usr/bin/python
"""Ansible module: which settings the templates would not take, by the rules of their parameters.

Returns `problems`, a sentence for each such setting. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import os
import re

import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sentences import listed

DOCUMENTATION = """
module: parameter_rules
short_description: Says which settings the templates would not take
description: Reads the rules of the parameters in the templates. Changes nothing.
author: the nowd project
options:
  playbook: {type: path, required: true, description: 'the playbook whose `stack_definitions` say which setting goes where'}
  stacks: {type: list, elements: dict, required: true, description: 'stacks, each with its template and parameters'}
"""


class Loader(yaml.SafeLoader):
    """Reads templates. What their functions (!Ref, !If, ...) come to does not matter here: parameters have none."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def violation(definition: dict, text: str) -> str | None:
    """What CloudFormation would say against the value of a parameter."""
    if "AllowedValues" in definition and text not in map(str, definition["AllowedValues"]):
        return definition.get("ConstraintDescription", f"can be {listed(definition['AllowedValues'])}").rstrip(".")
    if definition["Type"] == "Number":
        least, most = definition.get("MinValue"), definition.get("MaxValue")
        limits = " ".join([*([f"from {least}"] if least is not None else []), *([f"to {most}"] if most is not None else [])])
        number = re.fullmatch(r"-?\d+(\.\d+)?", text)
        if not number or (least is not None and float(text) < least) or (most is not None and float(text) > most):
            return f"has to be a number {limits}".rstrip()
    shortest, longest = definition.get("MinLength", 0), definition.get("MaxLength", len(text))
    fits = re.fullmatch(definition.get("AllowedPattern", ".*"), text, re.DOTALL)
    if not fits or not int(shortest) <= len(text) <= int(longest):
        if "ConstraintDescription" in definition:
            return definition["ConstraintDescription"].rstrip(".")
        if not fits:
            return f"has to look like {definition['AllowedPattern']}: {definition.get('Description', '').rstrip('.')}"
        return f"has to have {shortest} to {longest} characters"
    return None


def wrong_with_parameters(playbook: str, stacks: list[dict]) -> dict[str, str]:
    """Setting → a sentence. A setting may go to several stacks; what the first has against it is enough."""
    with open(playbook, encoding="utf-8") as file:
        [play] = yaml.safe_load(file)
    written = {one["stack"]: one["parameters"] for one in play["vars"]["stack_definitions"]}
    problems: dict[str, str] = {}
    for stack in stacks:
        with open(os.path.join(os.path.dirname(playbook), stack["template"]), encoding="utf-8") as file:
            definitions = yaml.load(file, Loader)["Parameters"]
        for name, value in stack["parameters"].items():
            setting = re.match(r"\{\{ (\w+)", written[stack["stack"]][name])[1]
            # As the parameter gets it: what Python makes of it.
            against = violation(definitions[name], str(value))
            if against:
                problems.setdefault(setting, f'{setting} is "{value}" and {against}')
    return problems


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "playbook": {"type": "path", "required": True},
            "stacks": {"type": "list", "elements": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, problems=wrong_with_parameters(module.params["playbook"], module.params["stacks"]))


if __name__ == "__main__":
    main()
