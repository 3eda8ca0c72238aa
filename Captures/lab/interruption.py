"""Signals that end a recording, with everything cleaned up."""

import contextlib
import signal

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_asked = None
_held = 0


class Interrupted(BaseException):
    """A signal asked the recorder to end."""


def _interrupted(number, _frame):
    global _asked
    _asked = signal.Signals(number).name
    if not _held:
        raise Interrupted(_asked)


@contextlib.contextmanager
def held():
    """Signals wait until the block is done: what is made in it and how it is noted for removal are one."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if not _held:
        stop_if_asked()


def end_on_signals():
    """SIGTERM and SIGHUP end the run as Ctrl-C does, also where the starting program had them blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for number in _SIGNALS:
        signal.signal(number, _interrupted)


def ignore_signals():
    """While cleaning up."""
    global _asked
    _asked = None
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop_if_asked():
    """Python drops an exception that a signal's handler raises inside a finaliser (Popen has one): it is raised again."""
    if _asked:
        raise Interrupted(_asked)
