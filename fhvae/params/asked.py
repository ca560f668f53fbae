"""The sections of params.yaml that one stage reads."""

import dataclasses
from pathlib import Path
from typing import TypeVar

from fhvae.params.reading import from_mapping, read_yaml
from fhvae.params.whole import check_params

Asked = TypeVar("Asked")


def read_params(asked: type[Asked], path: Path = Path("params.yaml")) -> Asked:
    """Read some keys of params.yaml; none of it may be wrong.

    What later stages read is checked too: they would refuse it after hours of training. It gives
    no value, so the code of their sections is no dependency of this stage.

    Args:
        asked: a params dataclass whose fields are the keys wanted.
        path: of the file.

    Raises:
        ParamsError: as `load_params` does.
    """
    check_params(path)
    values = read_yaml(path)
    wanted = {item.name: values[item.name] for item in dataclasses.fields(asked)}  # type: ignore[arg-type]
    return from_mapping(asked, wanted, source=str(path))
