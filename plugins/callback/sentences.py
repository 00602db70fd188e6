"""Callback: what goes wrong is printed once, and as it was said.

Ansible's own output prints the message of a failure twice: as Python would write it, and as YAML, with what was asserted
beside it. Where a task has said nothing but a message, that message is all that is printed: a sentence a line.
"""

from __future__ import annotations

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: sentences
type: stdout
author: the nowd project
short_description: Ansible's output, with failures in sentences
description: As P(ansible.builtin.default#callback), but the message of a failure is printed once.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

SAYS_NO_MORE = {
    "msg", "changed", "failed", "assertion", "evaluated_to", "invocation", "exception", "warnings", "deprecations", "attempts",
}  # fmt: skip
"""What a failed task tells of itself when there is nothing but its message."""
OF_ANSIBLE = "Task failed:"
"""How Ansible begins what it has to say itself, of a task that could not be performed: then it also says where that is."""
VERBOSE = 2
"""With -vv everything is printed, as by Ansible itself."""


def lines_of(message: str | list[str]) -> list[str]:
    return [f"- {one}" for one in message] if isinstance(message, list) else str(message).splitlines()


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "sentences"

    def v2_runner_on_failed(self, result, ignore_errors=False):
        told = {name for name in result.result if not name.startswith("_ansible_")}
        message = result.result.get("msg")
        of_ansible = not message or isinstance(message, str) and message.startswith(OF_ANSIBLE)
        if self._display.verbosity >= VERBOSE or of_ansible or told - SAYS_NO_MORE:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        label = f"fatal: [{self.host_label(result)}]: FAILED!"
        for line in [label, *lines_of(message)]:
            self._display.display(line, color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))
        if ignore_errors:
            self._display.display("...ignoring", color=C.COLOR_SKIP)
