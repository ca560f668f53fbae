"""Pick from the metrics of all stages the few values that one cites, and their intervals."""

from fhvae.cited import STAGES, cite, intervals, values
from fhvae.commandline import parse_paths, run
from fhvae.files.atomic import write_json
from fhvae.files.metrics import read_metrics


def main() -> None:
    """Run the stage."""
    found_at, metrics_path, intervals_path = parse_paths(__doc__, "found", "metrics", "intervals")
    metrics = {stage: read_metrics(found_at / f"{stage}.json") for stage in STAGES}
    cited = cite(metrics)
    write_json(intervals_path, intervals(cited, metrics))
    write_json(metrics_path, values(cited))


if __name__ == "__main__":
    run(main)
