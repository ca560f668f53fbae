"""Ask what probes read from the codes: the phone, the speaker, and what else a corpus knows."""

from dataclasses import dataclass

from fhvae.artifacts import write_csv, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.model import ModelParams
from fhvae.params.probes import ProbesParams
from fhvae.params.run import Evaluated
from fhvae.probes.accuracy import ProbeSetting, run_probes
from fhvae.probes.collapse import measure_usage, usage_table
from fhvae.probes.extras import LEFT_OUT, abx_of, extra_metrics, geometry_of
from fhvae.probes.gather import Folders, gather, make_material
from fhvae.probes.geometry import geometry_table
from fhvae.probes.summary import plan_tasks, summarize


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    latents: LatentsParams
    model: ModelParams
    probes: ProbesParams


def main() -> None:
    """Run the stage."""
    names = "corpus", "fbank", "latents", "model", "controls", "domains", "metrics", "plots"
    *inputs, metrics_path, plots = parse_paths(__doc__, *names)
    params, folders = read_params(Params), Folders(*inputs)
    full = params.protocol == "full"
    gathered = gather(folders, params.latents.shift)
    material = make_material(gathered, folders, params.probes, params.seed, stacked=full)
    plan = plan_tasks(material)
    setting = ProbeSetting(
        penalties=params.probes.penalties,
        draws=params.probes.bootstrap,
        seed=params.seed,
        hidden=params.probes.mlp_hidden,
        epochs=params.probes.mlp_epochs,
        patience=params.probes.mlp_patience,
    )
    metrics = summarize(plan, run_probes(plan.tasks, setting, plan.inputs_with_mlp(full)))
    absent = metrics["absent"] | ({} if full else {"stacked": LEFT_OUT})
    curves = geometry_of(plan, absent)
    usages = measure_usage(gathered.latents["test"], params.model)
    networks = {"z1": gathered.codes.trained, "untrained": gathered.codes.untrained}
    frames = gathered.frames["test"]
    abx = abx_of(gathered.corpus, frames, networks, params.seed, full, absent)
    metrics |= extra_metrics(curves, usages, abx) | {"absent": absent}
    write_csv(plots / "geometry.csv", geometry_table(curves))
    write_csv(plots / "usage.csv", usage_table(usages))
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
