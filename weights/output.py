"""Where the blob goes: a new or replaced file, or what a device, a pipe or a link leads to."""

import os
import shutil
import stat
import tempfile

from blob import write_blob
from readers.source import Misused

EXIT_CREATE, EXIT_IO = 73, 74


class Failed(Exception):
    """The output could not be made: (sentence, exit code)."""


def files_of(path):
    if not os.path.isdir(path):
        return [path]
    return [path] + [os.path.join(folder, name) for folder, _, names in os.walk(path)
                     for name in names]


def check_output(output, source):
    """Refused before anything is touched: the input itself, a folder, what cannot be written."""
    try:
        there = os.stat(output)
    except OSError:
        there = None
    if there is None:
        return
    if os.path.exists(source):
        for path in files_of(source):
            try:
                is_same = os.path.samestat(os.stat(path), there)
            except OSError:
                continue
            if is_same:
                raise Misused(f"the output '{output}' is the input itself ('{path}'); nothing was "
                              'written')
    if stat.S_ISDIR(there.st_mode):
        raise Failed(f'{output}: is a folder, expected a file to write', EXIT_CREATE)
    if stat.S_ISBLK(there.st_mode) or stat.S_ISSOCK(there.st_mode):
        raise Failed(f'{output}: is neither a file, a pipe nor a terminal', EXIT_CREATE)


def is_stream(path):
    """A device, a pipe or what a shell has opened: written through and never replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    opened = ('/dev/fd/', '/dev/stdout', '/dev/stderr', '/proc/')   # not /dev/shm
    return not stat.S_ISREG(mode) or os.path.abspath(path).startswith(opened)


def write_output(path, tensors):
    """Files appear complete or not at all; a link stays a link and what it leads to is written."""
    try:
        if is_stream(path):
            write_stream(path, tensors)
        else:
            write_blob(os.path.realpath(path), tensors)
    except BrokenPipeError:
        raise
    except OSError as error:
        is_new = error.filename is not None
        raise Failed(f'{path}: {error.strerror}', EXIT_CREATE if is_new else EXIT_IO) from None


def write_stream(path, tensors):
    """A blob's index comes before its data: made elsewhere, then copied."""
    with tempfile.TemporaryDirectory(prefix='nemesis-') as folder:
        whole = os.path.join(folder, 'blob')
        write_blob(whole, tensors)
        with open(whole, 'rb') as blob, open(path, 'wb', buffering=0) as stream:
            shutil.copyfileobj(blob, stream, 1 << 20)
