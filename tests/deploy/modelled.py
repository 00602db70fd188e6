"""Runs a piece of Python with the libraries of the playbooks and their modules, before clients that botocore's models hold
to what AWS takes: `python modelled.py`, the piece on standard input. It finds `Modelled` and `model` defined."""

import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def told_by(program: str) -> str:
    """What the piece printed."""
    ended = subprocess.run(
        ["build/deploy/bin/python", __file__], input=program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


if __name__ == "__main__":
    import ansible.module_utils
    import botocore.session
    from botocore.validate import validate_parameters

    session = botocore.session.Session()

    @functools.cache
    def model(service):
        return session.get_service_model(service)

    @functools.cache
    def inputs(service):
        """Name of a client's method → what the operation takes."""
        known = model(service)
        return {botocore.xform_name(one): known.operation_model(one).input_shape for one in known.operation_names}

    class Modelled:
        """A client. Its subclass answers operations by methods; what they are asked has to fit the model of the service."""

        service = ""

        def __getattribute__(self, name):
            found = super().__getattribute__(name)
            if name.startswith("_") or name not in inputs(type(self).service):
                return found
            shape = inputs(type(self).service)[name]

            def answer(**asked):
                validate_parameters(asked, shape)
                return found(**asked)

            return answer

    sys.path.insert(0, str(ROOT / "library"))
    # Where the modules find what they share (ansible.cfg).
    ansible.module_utils.__path__.append(str(ROOT / "plugins/module_utils"))
    exec(compile(sys.stdin.read(), "piece", "exec"), {"Modelled": Modelled, "model": model, "__name__": "piece"})  # noqa: S102
