"""Lookup: the settings that nothing would ever read. Ansible takes any name with -e and in a file of variables, and one
that is misspelled leaves the deployment as if nothing had been said.

Only what was given with -e and what stands in the file of the settings is looked at; Ansible's own variables all begin
with `ansible_`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars

DOCUMENTATION = """
name: unknown_settings
author: the nowd project
short_description: Says which settings there are not
description: Compares what was given with C(-e), and a file of settings, with what the playbooks read.
options:
  _terms:
    description: The file of the settings.
    required: true
  read_by:
    description: The files that read settings.
    type: list
    elements: path
    required: true
  answers:
    description: Names that can be given and are no settings.
    type: list
    elements: str
    default: []
"""

WITHOUT_A_VALUE = "_raw_params"
"""What Ansible files words under that have no `=`."""


def nearest(name: str, known: set[str], file: str) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else f"all that there are stand in {file}"


def unknown(given: dict, settings: set[str], answers: set[str], file: str) -> Iterator[str]:
    if WITHOUT_A_VALUE in given:
        yield f'-e "{given[WITHOUT_A_VALUE]}" has no value; say -e SETTING=VALUE'
    for name in given:
        if name in settings | answers or name == WITHOUT_A_VALUE or name.startswith("ansible_"):
            continue
        yield f"there is no setting {name} (-e); {nearest(name, settings | answers, file)}"


def unread(settings: set[str], text: str, file: str) -> Iterator[str]:
    read = set(re.findall(r"\w+", text))
    for name in sorted(settings - read):
        if not name.startswith("ansible_"):
            yield f"there is no setting {name} ({file}); {nearest(name, settings & read, file)}"


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **options):
        self.set_options(var_options=variables, direct=options)
        [path] = map(Path, terms)
        file = f"{path.parent.name}/{path.name}"
        settings = set(self._loader.load_from_file(str(path)))
        text = "\n".join(Path(one).read_text(encoding="utf-8") for one in self.get_option("read_by"))
        answers = set(self.get_option("answers"))
        return [*unknown(load_extra_vars(self._loader), settings, answers, file), *unread(settings, text, file)]
