"""Certificates of an authority made for a test, by the ``openssl`` program."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")
NAMES = {"good": "IP:127.0.0.1", "wrong_name": "DNS:elsewhere.invalid", "expired": "IP:127.0.0.1"}
CONFIG = """
[ca]
default_ca = it
[it]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
CN = 127.0.0.1
"""


def made(folder: Path) -> Path:
    """The authority's certificate; beside it ``NAME.pem``, key and certificate, of each of :data:`NAMES`."""
    config = folder / "config"
    config.write_text(CONFIG.format(folder=folder))
    (folder / "index").write_text("")
    (folder / "serial").write_text("01")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", str(config)]
    authority, key = folder / "authority.pem", folder / "authority.key"
    _run("req", "-x509", *new_key, "-subj", "/CN=Test authority", "-days", "3650", "-keyout", key, "-out", authority)
    for name, covers in NAMES.items():
        request, own, certificate = (folder / f"{name}.{end}" for end in ("csr", "key", "crt"))
        _run("req", *new_key, "-addext", f"subjectAltName={covers}", "-keyout", own, "-out", request)
        dates = ("20200101000000Z", "20200201000000Z" if name == "expired" else "20990101000000Z")
        signer = ["-config", config, "-cert", authority, "-keyfile", key, "-startdate", dates[0], "-enddate", dates[1]]
        _run("ca", "-batch", "-notext", *signer, "-in", request, "-out", certificate)
        (folder / f"{name}.pem").write_bytes(own.read_bytes() + certificate.read_bytes())
    return authority


def context(folder: Path, name: str) -> ssl.SSLContext:
    """What a server needs to show the certificate ``name``."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(folder / f"{name}.pem")
    return found


def _run(*words: object) -> None:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
