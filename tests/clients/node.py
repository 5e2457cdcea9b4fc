"""A node of a suite's own, for what the shared one can't be put through: a restart, TLS, credentials, bounds."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

# Patience with a node that starts or stops; it takes well under a second.
PATIENCE_SECONDS = 30


class Node:
    """Runs `forebay dev` with its data in a folder of its own. Its ports are free ones, and the same after a restart."""

    def __init__(self, *settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="forebay-"))
        self.settings = settings
        self.addresses = {}
        self.process = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __getattr__(self, name):
        """The address printed under that name: `http`, `admin`, `dax`, `daxs`, `grpc`."""
        try:
            return self.__dict__["addresses"][name]
        except KeyError:
            raise AttributeError(name) from None

    def port(self, name):
        return int(self.addresses[name].rsplit(":", 1)[1])

    def start(self):
        ports = []
        for name, flag in {"http": "--http-port", "dax": "--dax-port", "daxs": "--dax-tls-port", "grpc": "--grpc-port", "admin": "--admin-port"}.items():
            ports += [flag, str(self.port(name) if name in self.addresses else 0)]
        settings = [part for setting in self.settings for part in ("--set", setting)]
        command = [os.environ["FOREBAY_BIN"], "dev", "--data", str(self.folder / "data"), *ports, *settings]
        log = open(self.folder / "log.txt", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        for line in self.process.stdout:
            name, _, address = line.strip().partition(" ")
            if "://" in address:
                self.addresses[name] = address.strip()
            if name == "data":
                break
        # Read to the end, so that the node never blocks on a full pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, f"the node ended:\n{self.log()}"
            assert time.monotonic() < until, f"the node is not ready:\n{self.log()}"
            time.sleep(0.02)

    def _is_ready(self):
        try:
            return urllib.request.urlopen(self.admin + "/ready", timeout=5).status == 200
        except (AttributeError, OSError):
            return False

    def stop(self):
        """Asks the node to stop, which it must do by itself and well. Answers how long it took, in seconds."""
        return self._end(signal.SIGTERM, 0)

    def kill(self):
        self._end(signal.SIGKILL, -signal.SIGKILL)

    def _end(self, how, code):
        began = time.monotonic()
        self.process.send_signal(how)
        ended = self.process.wait(PATIENCE_SECONDS)
        self.process = None
        assert ended == code, f"the node ended with {ended}:\n{self.log()}"
        return time.monotonic() - began

    def log(self):
        return (self.folder / "log.txt").read_text()


def certificate(folder, *names):
    """Makes a certificate that is its own authority, for those names, such as `DNS:localhost` or `IP:127.0.0.1`; answers its file
    and its key's."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=forebay test", "-addext", f"subjectAltName={','.join(names)}"]
    subprocess.run([*request, *subject, "-keyout", key, "-out", file], check=True, capture_output=True)
    return file, key
