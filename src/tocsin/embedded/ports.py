"""Finding TCP ports to listen on."""

import random
import socket

# Below the range from which Linux and macOS take the near ends of outgoing connections: a port from there
# may be gone when a server wants it back after a restart.
_CANDIDATES = range(20_000, 32_000)


def try_listen(host: str, port: int) -> None:
    """Listen on an address for a moment.

    Raises:
        OSError: why a server could not; ``EADDRINUSE`` if another one does.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        # As servers do: connections of a predecessor that linger in TIME_WAIT are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    try:
        try_listen(host, port)
    except OSError:
        return False
    return True


def find_free_port(host: str) -> int:
    """Return a port on which a server can listen.

    Raises:
        OSError: none was found, or there is no such address here.
    """
    try_listen(host, 0)
    for port in random.sample(_CANDIDATES, 50):
        if is_free(host, port):
            return port
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])
