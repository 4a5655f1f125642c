# SPDX-License-Identifier: Apache-2.0
"""The web server: the API and the pages behind one door, on one socket, stopped in good order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
import uvloop

from lingqu import api, ui
from lingqu.kernel import errors
from lingqu.runtime.observability import get_logger
from lingqu.wiring import App, run_platform

STOP_WITHIN_S = 10
"""How long open requests may take to end when the server stops."""
_BACKLOG = 512
_log = get_logger(__name__)


class PortTaken(errors.Conflict):
    """Something else listens on the address and port already."""

    code = "cli.serve.port_taken"


class CannotListen(errors.Unavailable):
    """The machine does not let us listen there: no such address, or no right to the port."""

    code = "cli.serve.cannot_listen"


def build_asgi(app: App, stop: threading.Event | None = None) -> api.Door:
    """This will put the API and the pages of an opened platform behind one door.

    Streams that are open end when `stop` is set.
    """
    settings = app.settings
    machines = api.Api(app)
    pages = ui.Pages(
        app,
        sign_ins=api.Limiter(settings.login_attempts_per_minute),
        api=machines.description,
        stop=stop,
    )
    longest = settings.upload_bytes_max
    quiet = {"limited": False, "identified": False}
    routes = (
        api.Route(prefix="/api/docs", part=pages),
        *(
            api.Route(prefix=path, part=machines, bearer=True, body_bytes_max=longest)
            for path in api.UPLOAD_PATHS
        ),
        api.Route(prefix="/api", part=machines, bearer=True),
        api.Route(prefix="/metrics", part=machines, bearer=True),
        api.Route(prefix="/log", part=machines, identified=False),
        api.Route(prefix="/dcat", part=machines, identified=False),
        api.Route(prefix="/health", part=machines, **quiet),
        api.Route(prefix="/robots.txt", part=machines, **quiet),
        api.Route(prefix="/static", part=pages, **quiet),
        api.Route(prefix="/favicon.ico", part=pages, **quiet),
        *(api.Route(prefix=path, part=pages, body_bytes_max=longest) for path in ui.UPLOAD_PATHS),
        api.Route(prefix="/", part=pages),
    )
    return api.Door(app, routes, requests=api.Limiter(settings.api_requests_per_minute))


def serve(app: App, stop: threading.Event, *, started: Callable[[str], None] | None = None) -> None:
    """This will serve an opened platform until `stop` is set or the process is told to end.

    The sequencer and the worker run meanwhile. `started` is told the address once requests are
    answered. Raises PortTaken or CannotListen before anything is started.
    """
    with contextlib.closing(listen(app.settings.bind, app.settings.port)) as listening:
        address = _address(app, listening)
        server = _server(build_asgi(app, stop), ready=lambda: started(address) if started else None)
        with run_platform(app, stop), _stopped_by(stop, server), _few_collections():
            _log.info("web.serving", url=address)
            server.run(sockets=[listening])
    _log.info("web.stopped")


def serve_gate(
    app: App, stop: threading.Event, *, started: Callable[[str], None] | None = None
) -> None:
    """This will serve the gate's hot route alone, beside a running platform, until `stop` is set.

    Raises PortTaken, CannotListen, NotListening.
    """
    with contextlib.closing(listen(app.settings.bind, app.settings.port)) as listening:
        address = _address(app, listening)
        hot = api.Hot(app)
        with (
            _stopped_by(stop, None),
            _few_collections(),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            _log.info("gate.serving", url=address)
            runner.run(
                hot.serve(listening, stop, ready=lambda: started(address) if started else None)
            )
    _log.info("gate.stopped")


def _server(asgi: api.Door, *, ready: Callable[[], None]) -> _Server:
    return _Server(
        uvicorn.Config(
            asgi,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            h11_max_incomplete_event_size=64 * 1024,
        ),
        ready=ready,
    )


def listen(host: str, port: int) -> socket.socket:
    """This will bind the address; port 0 takes any free one. Raises PortTaken, CannotListen."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(bind=host, port=port, detail=error.strerror or "") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(bind=host, port=port) from None
        raise CannotListen(bind=host, port=port, detail=error.strerror or "") from None
    return made


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own, which says when it answers."""

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the caller's: they set the stop event, which ends this server too."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


_USUAL_THRESHOLD = gc.get_threshold()
"""Of the process, whichever of several servers in it ends first."""


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Spare the collector what stands by now, which stays until the end.

    Walking all of it takes a quarter of a second, during which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL_THRESHOLD)
        gc.unfreeze()


@contextlib.contextmanager
def _stopped_by(stop: threading.Event, server: uvicorn.Server | None) -> Iterator[None]:
    """End the server when `stop` is set; SIGINT and SIGTERM set it, a second one ends at once."""

    def watch() -> None:
        stop.wait()
        if server is not None:
            server.should_exit = True

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if server is not None:
            server.force_exit = stop.is_set()
        stop.set()

    watcher = threading.Thread(target=watch, name="stop-watch", daemon=True)
    watcher.start()
    in_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if in_main else ()
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(app: App, listening: socket.socket) -> str:
    if app.settings.base_url is not None:
        return app.settings.base_url
    host, port = str(listening.getsockname()[0]), int(listening.getsockname()[1])
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
