"""Running programs: on the host or inside a network namespace, with errors that say what failed."""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess

from interruption import stop_if_asked


class LabError(Exception):
    """Something that the recorder cannot go on from; its text is for the user."""


class CommandFailed(LabError):
    def __init__(self, arguments, status, output):
        self.status = status
        self.output = output
        super().__init__(f"{shlex.join(arguments)}\n  ended with status {status}: {output.strip() or 'no output'}")


_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_the_recorder():
    # A child must not outlive the recorder, however that ends.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def find_program(name, *fallbacks):
    """The path of a program, looked for on PATH and where Debian keeps administrators' programs."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    for candidate in (name, *fallbacks):
        found = shutil.which(candidate, path=path)
        if found:
            return found
    return None


def resolve(arguments):
    program = find_program(arguments[0])
    if program is None:
        raise LabError(f"{arguments[0]} is not installed")
    return [program, *arguments[1:]]


def in_namespace(namespace, arguments):
    if namespace is None:
        return resolve(arguments)
    return [*resolve(["ip"]), "netns", "exec", namespace, *resolve(arguments)]


def run(*arguments, namespace=None, environment=None, given=None, check=True, timeout=30):
    """Runs a program to its end and returns what it wrote to standard output."""
    stop_if_asked()
    arguments = [str(argument) for argument in arguments]
    command = in_namespace(namespace, arguments)
    try:
        done = subprocess.run(
            command, input=given, text=True, capture_output=True, timeout=timeout,
            env={**os.environ, "LC_ALL": "C", **(environment or {})}, start_new_session=True)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(arguments, "none", f"no end within {timeout} s") from error
    if check and done.returncode != 0:
        raise CommandFailed(arguments, done.returncode, done.stderr + done.stdout)
    return done.stdout


def start(*arguments, namespace=None, environment=None, log=subprocess.DEVNULL):
    """Starts a program that goes on; it gets no signals from the terminal and dies with the recorder."""
    stop_if_asked()
    arguments = [str(argument) for argument in arguments]
    return subprocess.Popen(
        in_namespace(namespace, arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        env={**os.environ, "LC_ALL": "C", **(environment or {})}, start_new_session=True,
        preexec_fn=_die_with_the_recorder)


def end(process, how=signal.SIGTERM, patience=5):
    """Ends a program that start() started."""
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
