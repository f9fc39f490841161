#!/usr/bin/env python3
"""Checks what isodrop prints and writes against docs/schema with the package jsonschema (4.18 or later, PyPI), as a
second opinion on the tests' validator: runs the test of all commands and checks every document that this test checks.

  python3 scripts/check_schemas.py build/release/tests/isodrop_quick_tests

Exit code 77, with the reason, where the package is not installed: the slow tests run this.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
except ImportError as error:
    print(f"skipped: the package jsonschema, 4.18 or later, is not installed ({error})")
    sys.exit(77)

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs/schema"


def counted(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")


def main():
    schemas = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    registry = Registry().with_resources((name, Resource.from_contents(s)) for name, s in schemas.items())
    documents = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "--gtest_filter=CliOutputs.*:Schema.*", "--gtest_brief=1"], check=True,
                       env={**os.environ, "ISODROP_CHECKED_OUTPUTS": folder, "OMP_WAIT_POLICY": "passive"})
        for path in sorted(pathlib.Path(folder).iterdir()):
            document = json.loads(path.read_text())
            documents += 1
            validator = Draft202012Validator({"$ref": document["schema"]}, registry=registry)
            for error in validator.iter_errors(document["value"]):
                wrong += 1
                print(f"{document['schema']}: {error.json_path}: {error.message[:300]}")
    print(", ".join(counted(n, what) for n, what in
                    ((len(schemas), "schema"), (documents, "document"), (wrong, "error"))))
    return 1 if wrong or not documents else 0


if __name__ == "__main__":
    sys.exit(main())
