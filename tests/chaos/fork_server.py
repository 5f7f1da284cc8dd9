"""A fork server of `wmtui` processes: loads the program once, then forks a process for every request, so that a
campaign can kill thousands of them.

Requests come as JSON lines on stdin: number, argv, log, and the fields of Setup. Answers on stdout: `ready` once, then
`started NUMBER PID` and `ended NUMBER STATUS` (of waitpid). At end of file every process is killed.
"""

import json
import os
import random
import select
import signal
import sys
import traceback
from datetime import datetime, timedelta
from typing import Any

import botocore.session

from tests.chaos import steps, variants
from tests.chaos.processes import BUG
from tests.servers.s3 import shared_loader
from wmtui import model
from wmtui.cli import invocation
from wmtui.cli.main import main
from wmtui.config import S3Config
from wmtui.objects import s3_client
from wmtui.objects.directory import DirectoryStore
from wmtui.pipeline import strategies
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.watermarks import lease

_TICK_SECONDS = 0.02
PRELOADED = (DirectoryStore, strategies)


def serve() -> None:
    """Fork a process for every request until stdin ends."""
    botocore.session.create_loader = shared_loader
    s3_client.build_client(S3Config(region="us-east-1", endpoint_url="http://127.0.0.1:1"))
    numbers: dict[int, int] = {}
    left = b""
    _write("ready")
    while True:
        ready, _, _ = select.select([0], [], [], _TICK_SECONDS)
        if ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, left = (left + read).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _run(request)
                numbers[pid] = request["number"]
                _write("started", request["number"], pid)
        while numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            _write("ended", numbers.pop(pid), status)
    for pid in numbers:
        os.kill(pid, signal.SIGKILL)


def _write(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def _run(request: dict[str, Any]) -> None:
    """Run a request in this process, with small parts, short leases and its clock; never returns."""
    code = BUG
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
        special = {name: request[name] for name in ("at", "do", "broken", "clock_offset") if request[name]}
        print(model.utc_now().time(), "wmtui", *request["argv"], special, flush=True)
        random.seed()
        span_reader.BATCH_ROWS = request["batch_rows"]
        part_writer.PART_BYTES = request["part_bytes"]
        lease.TTL = timedelta(seconds=request["ttl"])
        lease._RENEW_SECONDS = request["renew"]
        s3_client.READ_SECONDS = request["read_seconds"]
        offset = timedelta(seconds=request["clock_offset"])

        def now() -> datetime:
            return model.utc_now() + offset

        invocation.utc_now = now
        if request["broken"]:
            variants.VARIANTS[request["broken"]]()
        steps.install(steps.Steps(request["at"], request["do"]))
        code = main(request["argv"])
    finally:
        if error := sys.exc_info()[1]:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
