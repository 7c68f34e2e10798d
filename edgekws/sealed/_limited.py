"""A script, not a module: takes limits as JSON and a command, limits itself and becomes the command."""

import json
import os
import resource
import sys

for _name, _value in json.loads(sys.argv[1]).items():
    _number = getattr(resource, _name)
    _hard = resource.getrlimit(_number)[1]
    _most = _value if _hard == resource.RLIM_INFINITY else min(_value, _hard)
    resource.setrlimit(_number, (_most, _most))
os.execvp(sys.argv[2], sys.argv[2:])
