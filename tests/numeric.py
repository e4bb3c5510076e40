"""What tests that need NumPy, and perhaps more of Debian's packages, have in common."""

import importlib
import os
import sys


def leave(reason):
    print(f'  skipped: {reason}\n0 passed, 0 failed, 1 skipped')
    sys.exit(0)


def import_numpy(*others):
    """NumPy, where it and the others are. Debian's packages belong to /usr/bin/python3, which need
    not be the python3 of the path."""
    system, test = '/usr/bin/python3', os.path.abspath(sys.modules['__main__'].__file__)
    try:
        return [importlib.import_module(name) for name in ('numpy', *others)][0]
    except ImportError as lacking:
        if os.path.realpath(sys.executable) != os.path.realpath(system) and os.path.exists(system):
            os.execv(system, [system, test])
        leave(f'{lacking.name} is not installed')
