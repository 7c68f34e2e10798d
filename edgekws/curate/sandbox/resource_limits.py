"""A script, not a module: sets the resource limits given as JSON, then replaces itself by the command.

It also asks the kernel to kill it when its parent dies, since only the parent enforces the time limit.
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
    _limit = _value if _hard == resource.RLIM_INFINITY else min(_value, _hard)
    resource.setrlimit(_number, (_limit, _limit))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):  # the parent died before the request
        sys.exit("the parent has ended")
os.execvp(sys.argv[3], sys.argv[3:])
