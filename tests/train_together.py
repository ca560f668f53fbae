"""Started by torchrun: trains on made-up data; each process writes what it ended with."""

import hashlib
import json
import os
import sys
from pathlib import Path

import torch

from fhvae.device import choose_device
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import Trainer
from fhvae.training.world import joined_world
from tests.training_factory import make_sequences, make_setting


def digest(weights: dict[str, torch.Tensor]) -> str:
    """Hash weights bit by bit."""
    parts = [weights[name].cpu().numpy().tobytes() for name in sorted(weights)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def gradients(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Take what the last step was made of."""
    found = {name: weight.grad for name, weight in trainer.learner.network.named_parameters()}
    found["table"] = trainer.learner.table.grad
    return {name: grad.clone() for name, grad in found.items() if grad is not None}


def main() -> None:
    folder, seeds, changes = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    device = choose_device() if "cuda" in sys.argv[4:] else torch.device("cpu")
    torch.set_num_threads(1)
    train = make_sequences(utterances=16, speakers=4, seed=1)
    dev = make_sequences(utterances=6, speakers=2, seed=2).load(device)
    found = []
    with joined_world(device) as world:
        for seed in range(seeds):
            setting = make_setting(seed=seed, **changes)
            checkpoint = Checkpoint({"seed": seed}, folder / "checkpoints")
            trainer = Trainer(setting, train, dev, checkpoint, world=world)
            if seed == 0:
                trainer.train_step()
                torch.save(gradients(trainer), folder / f"first{world.rank}.pt")
                trainer = Trainer(setting, train, dev, checkpoint, world=world)
            run = trainer.run()
            found.append(
                {
                    "weights": digest(trainer.learner.network.state_dict()),
                    "table": digest({"table": trainer.learner.table.detach()}),
                    "train": run.curve[-1].train.lower_bound,
                    "log_q": run.curve[-1].train.log_q,
                    "dev": run.curve[-1].dev.lower_bound,
                    "steps": run.curve[-1].step,
                }
            )
    (folder / f"rank{os.environ.get('RANK', '0')}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
