"""Audio files written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhvae.files.atomic import new_file

if TYPE_CHECKING:
    from soundfile import SoundFile


@contextmanager
def new_sound(
    path: Path, rate_hz: int, channels: int, subtype: str, container: str, **more: Any
) -> Iterator["SoundFile"]:
    """Give an audio file to write blocks to; it has its name if nothing was raised.

    Args:
        path: of the file.
        rate_hz, channels: of it.
        subtype, container, more: as soundfile names them.

    Raises:
        OSError: the disk refuses a write, also one of the last bytes of a FLAC file, of which
            libsndfile tells nothing: it leaves a file that nobody can read, and is content.
    """
    import soundfile

    # without a buffer, which would be written when libsndfile moves to another place
    with new_file(path) as partial, partial.open("w+b", buffering=0) as file:
        keeping = _Keeping(file)
        try:
            with soundfile.SoundFile(
                keeping, "w", rate_hz, channels, subtype, format=container, **more
            ) as sound:
                yield sound
        finally:
            if keeping.refused:
                reason = keeping.refused
                raise OSError(reason.errno, reason.strerror, str(path)) from reason


class _Keeping:
    """A file for libsndfile, which asks for no reason: it is kept.

    Attributes:
        refused: the first write that the system refused.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.refused: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, content: bytes) -> int:
        """Write; give how many bytes were taken."""
        done = 0
        try:
            while done < len(content):
                done += self._file.write(content[done:])
        except OSError as error:
            self.refused = self.refused or error
        return done
