"""One thin script per DVC stage.

Python runs this before a stage's own imports, which take seconds: from here on a stage that DVC
runs ends with DVC, and Ctrl-C ends it without Python's list of what was just being imported.
"""

import signal
import sys
from contextlib import suppress

from fhvae.orphans import end_with_dvc

# `-m` stands there while Python looks for the program that it was told to run, and not for an
# import. `run` then catches the signal.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
with suppress(RuntimeError):  # no thread is to be had; `run` tries again and says so
    end_with_dvc()
