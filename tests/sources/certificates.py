"""An authority of the tests' own, and what it signs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """Files in PEM: an authority's certificate, and what it or another one signed."""

    folder: Path

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def server_arguments(self, name: str) -> tuple[str, ...]:
        """Arguments for a server that shows the certificate called `name` and trusts clients of this authority."""
        certificate, key = self.pair(name)
        return f"--ssl-ca={self.ca}", f"--ssl-cert={certificate}", f"--ssl-key={key}"

    def pair(self, name: str) -> tuple[str, str]:
        """The files of a certificate and its key."""
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}-key.pem")

    def sign(self, name: str, subject: str, san: str = "", *, days: int = 2) -> None:
        """Make a key and a certificate for it."""
        certificate, key = self.pair(name)
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n" if san else "")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", key, "-out", request)
        signed_by = ("-CA", self.ca, "-CAkey", self.folder / "ca-key.pem", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signed_by, "-days", days, "-extfile", extensions, "-out", certificate)
        Path(key).chmod(0o644)  # the server reads it under an account of its own


def new_authority(folder: Path, subject: str = "/CN=tests") -> Authority:
    """An authority with a key in this folder."""
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    certificate, key = folder / "ca.pem", folder / "ca-key.pem"
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        2,
        "-subj",
        subject,
        "-keyout",
        key,
        "-out",
        certificate,
    )
    key.chmod(0o644)
    return Authority(folder)


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
