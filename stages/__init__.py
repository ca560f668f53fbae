"""One thin script per DVC stage.

Python runs this before a stage's own imports, which take seconds: from here on a stage that DVC
runs ends with DVC.
"""

from fhvae.orphans import end_with_dvc

end_with_dvc()
