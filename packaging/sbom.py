#!/usr/bin/env python3
"""Prints the software bill of materials of a program: CycloneDX 1.5, as JSON. The same sources give the same text.

python3 packaging/sbom.py nowd|nowcheck
"""

import json
import sys
import tomllib

from program_crates import PROGRAMS, ROOT, crates, version


def component(crate: dict, checksums: dict[tuple[str, str], str]) -> dict:
    name, number = crate["name"], crate["version"]
    purl = f"pkg:cargo/{name}@{number}"
    described = {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}
    if crate["license"]:
        # The slash is how old crates write it.
        described["licenses"] = [{"expression": crate["license"].replace("/", " OR ")}]
    if checksum := checksums.get((name, number)):
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def bill(program: str) -> dict:
    with open(ROOT / "Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(p["name"], p["version"]): p["checksum"] for p in locked if "checksum" in p}
    components = [component(crate, checksums) for crate in crates(program)]
    root = {"type": "application", "bom-ref": program, "name": program, "version": version()}
    root["licenses"] = [{"expression": "Apache-2.0"}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [{"ref": program, "dependsOn": [each["bom-ref"] for each in components]}],
    }


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        sys.exit("sbom: name the program: nowd or nowcheck")
    print(json.dumps(bill(sys.argv[1]), indent=2))


if __name__ == "__main__":
    main()
