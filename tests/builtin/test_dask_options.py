"""The options of the dask runner that concern safety: the lease, TLS, what is said of neither."""

from __future__ import annotations

import subprocess

import pytest

from soops.api import RunnerError, RunnerSetup, State, UsageError
from soops.testing import RunnerContract
from soops_builtin.runners.dask import cluster as dask_cluster
from soops_builtin.runners.dask.runner import DaskOptions, DaskRunner


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lease": 4.9}, "5 seconds or more"),
        ({"lease": -1.0}, "5 seconds or more"),
        ({"lease": float("nan")}, "5 seconds or more"),
        ({"lease": float("inf")}, "5 seconds or more"),
        ({"tls_ca": "ca.pem"}, "tls=yes"),
        ({"scheduler": "tls://h:1", "tls_ca": "ca.pem"}, "belong together"),
        ({"scheduler": "tls://h:1", "tls": True}, "tls_ca, tls_cert, tls_key"),
        ({"scheduler_file": "s.json", "tls": True}, "tls_ca, tls_cert, tls_key"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        DaskOptions(**options)


def test_the_lease_has_a_default():
    assert DaskOptions().lease == 60.0
    assert DaskOptions(lease=5.0).lease == 5.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a certificate that signed itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    try:
        subprocess.run(
            ["openssl", "req", "-x509", *words, "-keyout", str(key), "-out", str(cert)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return cert, key


def security(certificate):
    from distributed import Security

    cert, key = map(str, certificate)
    return Security(
        tls_ca_file=cert,
        tls_scheduler_cert=cert,
        tls_scheduler_key=key,
        tls_worker_cert=cert,
        tls_worker_key=key,
        tls_client_cert=cert,
        tls_client_key=key,
        require_encryption=True,
    )


class TestTls:
    make_job = RunnerContract.make_job
    collect = RunnerContract.collect
    patience = 60.0

    @pytest.fixture
    def cluster(self, certificate):
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
            protocol="tls://",
            security=security(certificate),
        ) as cluster:
            yield cluster

    def test_a_scheduler_that_wants_it(self, cluster, certificate, make_job, monkeypatch):
        cert, key = map(str, certificate)
        said: list[str] = []
        where = cluster.scheduler_address
        options = DaskOptions(scheduler=where, tls_ca=cert, tls_cert=cert, tls_key=key)
        runner = DaskRunner(RunnerSetup(n_workers=1, options=options, say=said.append))
        try:
            (token,) = runner.submit([make_job("exit 3")])
            assert self.collect(runner, [token])[token].returncode == 3
        finally:
            runner.close()
        assert where.startswith("tls://")
        assert not any("plain" in text for text in said)

        monkeypatch.setattr(dask_cluster, "CONNECT", 1)
        with pytest.raises(RunnerError, match="no dask cluster"):
            DaskRunner(RunnerSetup(options=DaskOptions(scheduler=where)))

    def test_a_cluster_that_is_made_here(self, certificate, make_job, monkeypatch):
        from distributed import Security

        monkeypatch.setattr(Security, "temporary", lambda: security(certificate))
        options = DaskOptions(tls=True)
        kwargs = {"processes": False}
        runner = DaskRunner(RunnerSetup(n_workers=1, options=options, cluster_kwargs=kwargs))
        try:
            assert runner._connection.cluster.scheduler_address.startswith("tls://")
            (token,) = runner.submit([make_job("true")])
            assert self.collect(runner, [token])[token].state is State.DONE
        finally:
            runner.close()

    def test_files_that_are_not_there_are_named(self, tmp_path):
        path = str(tmp_path / "no.pem")
        options = DaskOptions(scheduler="tls://h:1", tls_ca=path, tls_cert=path, tls_key=path)

        with pytest.raises(UsageError, match=r"no\.pem"):
            DaskRunner(RunnerSetup(options=options))

    def test_files_that_are_none_are_an_error_of_three_lines(self, tmp_path):
        path = tmp_path / "empty.pem"
        path.write_text("")
        names = dict.fromkeys(("tls_ca", "tls_cert", "tls_key"), str(path))

        with pytest.raises(RunnerError, match="no dask cluster"):
            DaskRunner(RunnerSetup(options=DaskOptions(scheduler="tls://h:1", **names)))

    def test_the_package_that_it_needs_is_named(self, monkeypatch):
        from distributed import Security

        def temporary():
            raise ImportError("no cryptography")

        monkeypatch.setattr(Security, "temporary", temporary)
        with pytest.raises(RunnerError, match="cryptography"):
            DaskRunner(RunnerSetup(options=DaskOptions(tls=True)))


@pytest.mark.parametrize(
    ("address", "open_to_others"),
    [
        ("tcp://10.1.2.3:8786", True),
        ("tcp://node7:8786", True),
        ("tcp://[2001:db8::1]:8786", True),
        ("ws://10.1.2.3:8786", True),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://127.3.0.1:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://localhost:8786", False),
        ("tls://10.1.2.3:8786", False),
        ("inproc://10.1.2.3/123/1", False),
    ],
)
def test_a_scheduler_that_trusts_a_network_is_named(address, open_to_others):
    from types import SimpleNamespace

    said: list[str] = []
    client = SimpleNamespace(scheduler=SimpleNamespace(address=address))

    dask_cluster._say_what_is_open(RunnerSetup(say=said.append), client)

    assert len(said) == open_to_others
    assert all(address in text and "TLS" in text for text in said)
