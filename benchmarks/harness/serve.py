"""One contender's process: ``python -m harness.serve contenders.ours`` (see :class:`.Contender`)."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main() -> None:
    """Call a function of the module for each line, and write what it returns as a line."""
    # What the contender prints is for the terminal, and no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module = import_module(sys.argv[1])
    for line in sys.stdin:
        function, arguments = json.loads(line)
        print(json.dumps(getattr(module, function)(**arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
