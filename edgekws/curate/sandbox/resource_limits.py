"""A script, not a module: takes limits as JSON and a command, limits itself and becomes the command.

It also asks to be killed when its parent dies, which alone keeps the time.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1

for _name, _value in json.loads(sys.argv[1]).items():
    _number = getattr(resource, _name)
    _hard = resource.getrlimit(_number)[1]
    _most = _value if _hard == resource.RLIM_INFINITY else min(_value, _hard)
    resource.setrlimit(_number, (_most, _most))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):  # it died before we asked
        sys.exit("the parent has ended")
os.execvp(sys.argv[3], sys.argv[3:])
