"""Ask what probes read from the codes: the phone, the speaker, and what else a corpus knows."""

from dataclasses import dataclass

from fhvae.commandline import run
from fhvae.files.atomic import write_csv, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.latents import LatentsParams
from fhvae.params.model import ModelParams
from fhvae.params.probes import ProbesParams
from fhvae.params.run import Evaluated
from fhvae.probes.abx import measure_abx
from fhvae.probes.gather import Folders, gather, make_material
from fhvae.probes.questions import plan_tasks
from fhvae.probes.run import run_probes, summarize, unless_absent
from fhvae.probes.usage import (
    extra_metrics,
    geometry_table,
    measure_geometry,
    measure_usage,
    usage_table,
)
from fhvae.stage import Input, Output, Shared, stage

LEFT_OUT = "left out by protocol: headline"


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    latents: LatentsParams
    model: ModelParams
    probes: ProbesParams


@stage
def main(
    corpus: Input,
    fbank: Input,
    f0: Input,
    latents: Input,
    model: Input,
    baselines: Input,
    domains: Input,
    metrics: Output,
    plots: Shared,
) -> None:
    """Run the stage."""
    params = read_params(Params)
    folders = Folders(corpus, fbank, f0, latents, model, baselines, domains)
    full = params.protocol == "full"
    shift, seed = params.latents.shift, params.corpus.seed
    gathered = gather(folders, params.latents.mu2)
    plan = plan_tasks(make_material(gathered, folders, params.probes, shift, seed, stacked=full))
    results = run_probes(plan.tasks, params.probes, seed, plan.inputs_with_mlp(full))
    found = summarize(plan, results)
    absent = found["absent"]
    if full:
        spoken = gathered.corpus, gathered.frames["test"], gathered.coders.networks
        abx = unless_absent("abx", lambda: measure_abx(*spoken, params.probes, seed), absent)
    else:
        abx = {}
        absent |= {"stacked": LEFT_OUT, "abx": LEFT_OUT}
    curves = unless_absent("geometry", lambda: measure_geometry(plan.tasks), absent)
    usages = measure_usage(gathered.latents["test"], params.model)
    found |= extra_metrics(curves, usages, abx)
    write_csv(plots / "geometry.csv", geometry_table(curves))
    write_csv(plots / "usage.csv", usage_table(usages))
    write_metrics(metrics, found)


if __name__ == "__main__":
    run(main)
