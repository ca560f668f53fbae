"""params.yaml as frozen dataclasses: one file per section, so that a stage knows those it reads."""
