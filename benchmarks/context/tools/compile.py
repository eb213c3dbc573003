"""The builder stage's work: modules below SOURCE compiled into TARGET/0, /1 and /2, one for each optimization level.

The image gets one of the three: a builder stage makes more than it hands on.
"""

import py_compile
import sys
from pathlib import Path

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH

source, target = (Path(argument) for argument in sys.argv[1:])
for level in (0, 1, 2):
    for module in sorted(source.rglob("*.py")):
        output = target / str(level) / module.relative_to(source).with_suffix(".pyc")
        py_compile.compile(str(module), str(output), doraise=True, optimize=level, invalidation_mode=UNCHECKED)
