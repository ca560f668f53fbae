"""One thin script per DVC stage.

Python runs this before a stage's own imports, which take seconds: from here on a stage that DVC
runs ends with DVC.
"""

from contextlib import suppress

from fhvae.orphans import end_with_dvc

with suppress(RuntimeError):  # no thread is to be had; `run` tries again and says so
    end_with_dvc()
