"""Writes the wheel of the Python package: build_wheel.py VERSION LIBRARY FOLDER. Needs only the standard library."""

import base64
import hashlib
import pathlib
import sys
import sysconfig
import zipfile

version, library, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
here = pathlib.Path(__file__).parent
tag = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
info = f"seminar-{version}.dist-info"
metadata = f"""Metadata-Version: 2.1
Name: seminar
Version: {version}
Summary: Rank items with a trained SEMINAR model
License: MIT
Requires-Python: >=3.9
Requires-Dist: numpy
"""
files = {
    "seminar/__init__.py": (here / "seminar/__init__.py").read_bytes(),
    "seminar/py.typed": b"",
    "seminar/libseminar.so": library.read_bytes(),
    f"{info}/LICENSE": (here / "../../../LICENSE").read_bytes(),
    f"{info}/METADATA": metadata.encode(),
    f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: seminar\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
}
record = ""
for name, content in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    record += f"{name},sha256={digest},{len(content)}\n"
files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
folder.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(folder / f"seminar-{version}-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for name, content in files.items():
        entry = zipfile.ZipInfo(name, (2024, 7, 15, 0, 0, 0))  # the same bytes at every build
        entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
        wheel.writestr(entry, content)
