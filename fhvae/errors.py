"""Every error raised on purpose: one class per next step of the reader.

A message is one sentence: what must hold, what was found, where, and what to do.
At the command line each ends the program with exit code 2 and no traceback
(`fhvae.commandline.run`).
"""


class FhvaeError(Exception):
    """Root of the errors that a user can act on."""


class ParamsError(FhvaeError):
    """A value in params.yaml must change."""


class CorpusError(FhvaeError):
    """The recordings, the manifest or the labels must change."""


class DownloadError(FhvaeError):
    """A public file could not be had: the network, the disk or what lies there must change."""


class ArtifactError(FhvaeError):
    """A file written by an earlier stage is missing or broken; rerun that stage."""


class WorkerError(FhvaeError):
    """A worker process is gone: their number or the machine's memory must change."""


class TrialError(FhvaeError):
    """The evaluation split cannot answer the question asked of it."""


class TrainingError(FhvaeError):
    """Training cannot go on: it diverged, or its checkpoint is unusable."""


class ListeningError(FhvaeError):
    """Nobody can be asked: the extra `listen` must be installed, or `listening` must change."""
