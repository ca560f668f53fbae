"""Pick from the metrics of all stages the few values that one cites, and their intervals."""

from fhvae.cited import STAGES, cite, values
from fhvae.cited import intervals as intervals_of
from fhvae.commandline import run
from fhvae.files.atomic import write_json
from fhvae.files.metrics import read_metrics
from fhvae.stage import Input, Output, stage


@stage
def main(found: Input, metrics: Output, intervals: Output) -> None:
    """Run the stage."""
    of_stages = {name: read_metrics(found / f"{name}.json") for name in STAGES}
    cited = cite(of_stages)
    write_json(intervals, intervals_of(cited, of_stages))
    write_json(metrics, values(cited))


if __name__ == "__main__":
    run(main)
