"""The cluster's certificates and kubeconfigs, by openssl. What exists is kept, so it can be called at every `up`."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.plan import Plan

DAYS = "3650"
KUBELET_CLIENTS = "imagebuild:kubelet-clients"
"""The group that kube-apiserver is in when it calls a kubelet; bound in `control_plane.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    name: str
    subject: str
    usage: str
    alternative_names: tuple[str, ...] = ()


def certificates(plan: Plan, nodes: Iterable[int]) -> tuple[Certificate, ...]:
    """Everything that the cluster's authority signs."""
    networks = plan.networks
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = ["127.0.0.1", networks.gateway, str(networks.services[1])]
    api_names = (*(f"DNS:{name}" for name in (*names, "localhost")), *(f"IP:{address}" for address in addresses))
    client, server = "clientAuth", "serverAuth"
    control_plane = (
        Certificate(name="apiserver", subject="/CN=kube-apiserver", usage=server, alternative_names=api_names),
        Certificate(name="apiserver-kubelet", subject=f"/O={KUBELET_CLIENTS}/CN=kube-apiserver", usage=client),
        Certificate(name="admin", subject="/O=system:masters/CN=kubernetes-admin", usage=client),
        Certificate(name="controller-manager", subject="/CN=system:kube-controller-manager", usage=client),
        Certificate(name="scheduler", subject="/CN=system:kube-scheduler", usage=client),
        Certificate(name="proxy", subject="/CN=system:kube-proxy", usage=client),
    )
    kubelets = tuple(
        certificate
        for node in nodes
        for subject in (f"/O=system:nodes/CN=system:node:n{node}",)
        for certificate in (
            Certificate(name=f"n{node}", subject=subject, usage=client),
            Certificate(
                name=f"n{node}-server",
                subject=subject,
                usage=server,
                alternative_names=(f"DNS:n{node}", f"IP:{networks.node_address(node)}"),
            ),
        )
    )
    return control_plane + kubelets


def issue(plan: Plan, nodes: Iterable[int]) -> None:
    """Authorities, certificates, the service accounts' key pair and the kubeconfigs."""
    plan.pki.mkdir(parents=True, exist_ok=True)
    plan.pki.chmod(0o700)
    _authority(plan.pki, "ca")
    # The aggregation layer must have an authority of its own, or every client certificate could act as a proxy.
    _authority(plan.pki, "front-proxy-ca")
    _service_account_keys(plan.pki)
    for certificate in certificates(plan, nodes):
        _certificate(plan.pki, certificate)
        if certificate.usage == "clientAuth" and certificate.name != "apiserver-kubelet":
            target = plan.kubeconfig if certificate.name == "admin" else plan.pki / f"{certificate.name}.kubeconfig"
            if not target.exists():
                _write(target, kubeconfig(plan, certificate.name))


def kubeconfig(plan: Plan, name: str) -> str:
    """A kubeconfig with everything inside; JSON is YAML too."""

    def inline(file: str) -> str:
        return b64encode((plan.pki / file).read_bytes()).decode()

    cluster = {"server": plan.apiserver, "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline(f"{name}.crt"), "client-key-data": inline(f"{name}.key")}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "imagebuild", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "imagebuild", "context": {"cluster": "imagebuild", "user": name}}],
            "current-context": "imagebuild",
        },
        indent=2,
    )


def _authority(folder: Path, name: str) -> None:
    if (folder / f"{name}.crt").exists():
        return
    _key(folder, name)
    extensions = (
        ("-addext", "basicConstraints=critical,CA:TRUE"),
        ("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
    )
    words = ["req", "-x509", "-new", "-key", f"{name}.key", "-days", DAYS, "-subj", f"/CN=imagebuild-{name}"]
    _openssl(folder, *words, *(word for pair in extensions for word in pair), output=f"{name}.crt")


def _service_account_keys(folder: Path) -> None:
    if (folder / "sa.pub").exists():
        return
    _openssl(folder, "genrsa", output="sa.key", size="2048")
    _openssl(folder, "rsa", "-in", "sa.key", "-pubout", output="sa.pub")


def _certificate(folder: Path, wanted: Certificate) -> None:
    name = wanted.name
    if (folder / f"{name}.crt").exists():
        return
    _key(folder, name)
    lines = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage={wanted.usage}",
    ]
    if wanted.alternative_names:
        lines.append(f"subjectAltName={','.join(wanted.alternative_names)}")
    _write(folder / f"{name}.ext", "\n".join(lines) + "\n")
    _openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", wanted.subject, output=f"{name}.csr")
    signed_by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", DAYS]
    _openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed_by, "-extfile", f"{name}.ext", output=f"{name}.crt")
    (folder / f"{name}.ext").unlink()
    (folder / f"{name}.csr").unlink()


def _key(folder: Path, name: str) -> None:
    _openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", output=f"{name}.key")


def _openssl(folder: Path, *words: str, output: str, size: str = "") -> None:
    """Run it with `-out`; the file takes its name when it is complete, so a killed `up` leaves no half of one."""
    unfinished = folder / f".{output}.unfinished"
    command = ["openssl", *words, "-out", str(unfinished), *filter(None, [size])]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, umask=0o077)
    unfinished.replace(folder / output)


def _write(file: Path, text: str) -> None:
    unfinished = file.with_name(f".{file.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    unfinished.replace(file)
