"""The loop: what is trained, when it stops, and that a kill changes nothing."""

import dataclasses
import os
import signal

import numpy as np
import pytest
import torch

from fhvae.errors import ParamsError, TrainingError
from fhvae.model.objective import segment_terms
from fhvae.seeds import stream_seed
from fhvae.segments import gather
from fhvae.training.checkpoint import read_state
from fhvae.training.dev import evaluate_dev
from fhvae.training.loop import Trainer, noted_signals
from fhvae.training.table import closed_form_table

each_cell = pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "dense"])


def weights_equal(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


@each_cell
def test_every_weight_and_every_row_of_the_table_moves(trainer, cell):
    run = trainer(cell=cell)
    run.train_step()
    before = {name: value.clone() for name, value in run.learner.network.named_parameters()}
    table = run.learner.table.detach().clone()
    run.train_step()
    still = [
        name
        for name, value in run.learner.network.named_parameters()
        if value.requires_grad and torch.equal(value, before[name])
    ]
    assert still == []
    assert (run.learner.table != table).all()


@each_cell
def test_the_bound_rises(trainer, cell):
    run = trainer(cell=cell, alpha=0.0, max_epochs=15, patience=15, learning_rate=0.02).run()
    first, last = run.curve[0], run.curve[-1]
    assert last.train.lower_bound > first.train.lower_bound + 5
    assert last.train.log_px > first.train.log_px + 5


def test_closed_form_table_is_refilled_at_each_pass_and_only_there(trainer):
    run = trainer(mu2_table="closed_form")
    run.train_step()
    length = len(run.current)
    while run.progress.batch < length:
        run.train_step()
    trained = run.learner.table.detach().clone()
    fresh = closed_form_table(run.learner.network, run.block.data, run.setting.segments)
    assert not torch.allclose(trained, fresh)
    run.begin_pass()
    assert torch.equal(run.learner.table.detach(), fresh)


def test_random_table_is_drawn_once_with_the_priors_spread(trainer):
    run = trainer(mu2_table="random")
    drawn = run.learner.table.detach().clone()
    run.begin_pass()
    assert torch.equal(run.learner.table.detach(), drawn)
    assert 0.5 < drawn.std().item() < 1.5


def test_hierarchical_sampling_fills_the_table_for_each_block(trainer):
    run = trainer(block_sequences=4)
    assert run.learner.table.shape == (4, 2)
    seen = set()
    for _ in range(3):
        run.begin_pass()
        fresh = closed_form_table(run.learner.network, run.block.data, run.setting.segments)
        assert torch.equal(run.learner.table.detach(), fresh)
        seen.add(tuple(run.blocks.chosen(run.block.number).tolist()))
        length = len(run.current)
        for _ in range(length):
            run.train_step()
        assert (run.learner.table.detach() != fresh).all()
    assert len(seen) == 3


def test_in_a_block_only_its_sequences_compete(trainer):
    """Chance is 1 / K, and z2 beats it."""
    found = trainer(block_sequences=4, max_epochs=20, patience=20).run().curve[-1]
    assert found.log_q_of_chance == pytest.approx(-np.log(4))
    assert found.train.log_q > -np.log(4)


@pytest.mark.parametrize("block_sequences", [0, 4])
@pytest.mark.parametrize("alpha", [0.0, 10.0])
def test_a_step_is_the_gradient_of_the_objective_by_hand(trainer, block_sequences, alpha):
    """N of each sequence, mean over the batch, the posterior mean in log q, all rows compete."""
    run = trainer(block_sequences=block_sequences, alpha=alpha, learning_rate=1e-12)
    run.begin_pass()
    block, segments = run.block.data, run.setting.segments
    starts, rows = run.current.starts[0], run.current.sequence[0]
    batch = torch.stack([block.frames[start : start + 5] for start in starts.tolist()], dim=1)
    table = run.learner.table.detach().clone().requires_grad_()
    network = run.learner.network
    count_of = {
        int(row): (length - 5) // segments.train_shift + 1
        for row, length in zip(block.sequence, block.lengths, strict=True)
    }
    counts = torch.tensor([float(count_of[int(row)]) for row in rows])
    assert len(set(count_of.values())) > 1
    noise = torch.Generator().manual_seed(stream_seed(run.setting.seed, "noise"))
    terms = segment_terms(network, batch, table[rows], counts, noise)
    distance = (terms.z2.mean[:, None] - table).square().sum(dim=2) / (2 * 0.25)
    log_q = torch.log_softmax(-distance, dim=1)[torch.arange(len(rows)), rows]
    prior = -0.5 * (np.log(2 * np.pi) + table[rows].square()).sum(dim=1)
    bound = terms.log_px - terms.kl_z1 - terms.kl_z2 + prior / counts
    loss = -(bound + alpha * log_q).sum() / len(rows)
    wanted = torch.autograd.grad(loss, [table, *trained_weights(network)])
    run.train_step()
    found = [run.learner.table.grad, *(weight.grad for weight in trained_weights(network))]
    for ours, by_hand in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, by_hand, rtol=1e-4, atol=1e-5)
    means = torch.stack([bound.mean(), log_q.mean()])
    torch.testing.assert_close(run.sums[[0, 5]], means.detach(), rtol=1e-5, atol=1e-5)


def trained_weights(network):
    return [weight for weight in network.parameters() if weight.requires_grad]


@pytest.mark.parametrize("block_sequences", [0, 4])
def test_each_pass_draws_its_own_starts(trainer, block_sequences):
    run = trainer(block_sequences=block_sequences)
    run.begin_pass()
    first, block = run.current.starts.flatten().tolist(), run.block
    run.begin_pass()
    assert run.current.starts.flatten().tolist() != first
    assert (run.block is block) == (block_sequences == 0)


@pytest.mark.parametrize(
    "lever",
    [{"skip_nearest": 2}, {"mask_mels": 3}, {"gain_db": 6.0}, {"noise_floor_db": (-30.0, -10.0)}],
)
def test_a_lever_changes_the_training_and_not_its_other_draws(trainer, lever):
    plain, pulled = trainer("plain"), trainer("pulled", **lever)
    for run in (plain, pulled):
        run.train_step()
    assert torch.equal(plain.current.starts, pulled.current.starts)
    assert torch.equal(plain.learner.noise.get_state(), pulled.learner.noise.get_state())
    first, second = (run.learner.network.state_dict() for run in (plain, pulled))
    assert not weights_equal(first, second)


def test_each_batch_is_heard_as_was_drawn_for_it(trainer):
    run, given = trainer(gain_db=6.0, mask_mels=3), []
    run.begin_pass()
    run.learner.step = lambda *batch: given.append(batch) or torch.zeros(6)
    for _ in range(3):
        run.train_step()
    for number, (segments, _, _, seen) in enumerate(given):
        plain = gather(run.block.data.frames, run.current.starts[number], 5)
        louder = 0.1 * run.hearing.gain_db[number][:, None].expand_as(plain)
        torch.testing.assert_close(segments - plain, louder, rtol=1e-4, atol=1e-5)
        first, end = run.hearing.hidden[number].unbind(-1)
        assert torch.equal((seen == 0).all(dim=0).sum(dim=1), end - first)


def test_rows_that_do_not_compete_are_no_part_of_chance(trainer):
    found = trainer(skip_nearest=2, max_epochs=1).run().curve[-1]
    assert found.log_q_of_chance == pytest.approx(-np.log(9 - 2))


@pytest.mark.parametrize(("block_sequences", "rows"), [(0, 9), (4, 4)])
def test_two_rows_at_least_must_compete(trainer, block_sequences, rows):
    trainer("all but two", block_sequences=block_sequences, skip_nearest=rows - 2)
    with pytest.raises(ParamsError, match=f"skip_nearest must be at most {rows - 2}, so that of"):
        trainer("all but one", block_sequences=block_sequences, skip_nearest=rows - 1)


def test_alpha_trains_log_q(trainer):
    with_term = trainer("a", alpha=10.0, max_epochs=20, patience=20).run()
    without = trainer("b", alpha=0.0, max_epochs=20, patience=20).run()
    assert with_term.curve[-1].train.log_q > without.curve[-1].train.log_q + 0.2


def test_best_weights_are_those_of_the_best_dev_bound_not_the_last(trainer):
    """Selection by dev: the kept weights give the best epoch's bound again."""
    run = trainer(max_epochs=25, patience=25, learning_rate=0.05, alpha=0.0)
    result = run.run()
    bounds = [record.dev.lower_bound for record in result.curve]
    kept = trainer("other").learner.network
    kept.load_state_dict(result.weights)
    noise_seed = stream_seed(run.setting.seed, "dev noise")
    again, _ = evaluate_dev(kept, run.dev, run.setting.segments, noise_seed, None, -5.0)
    assert again.lower_bound == max(bounds)
    assert result.best.epoch == int(np.argmax(bounds)) + 1
    assert weights_equal(result.weights, run.learner.network.state_dict()) == (
        result.best.epoch == len(result.curve)
    )


def test_weights_of_an_epoch_in_the_middle_are_kept_where_it_is_the_best(trainer):
    """Neither the first nor the last."""
    run, bounds, seen = trainer(max_epochs=4), iter([-9.0, -5.0, -7.0, -6.0]), []
    look = run.look_at_dev

    def looked():
        state = run.learner.kept.state_dict()
        seen.append({name: value.clone() for name, value in state.items()})
        terms, usage = look()
        return dataclasses.replace(terms, lower_bound=next(bounds)), usage

    run.look_at_dev = looked
    result = run.run()
    assert result.best.epoch == 2
    assert [weights_equal(result.weights, one) for one in seen] == [False, True, False, False]


def test_patience_ends_training(trainer, monkeypatch):
    import fhvae.training.loop as loop

    real, calls = loop.evaluate_dev, []

    def falling(*arguments):
        terms, usage = real(*arguments)
        calls.append(1)
        return type(terms)(**{**vars(terms), "lower_bound": -100.0 - len(calls)}), usage

    monkeypatch.setattr(loop, "evaluate_dev", falling)
    result = trainer(max_epochs=50, patience=2).run()
    assert result.best.epoch == 1
    assert len(result.curve) == 4  # stops as soon as epoch - best epoch exceeds patience


def test_same_seed_same_weights_other_seed_others(trainer):
    first, same = trainer("a").run().weights, trainer("b").run().weights
    assert weights_equal(first, same)
    assert not weights_equal(first, trainer("c", seed=1).run().weights)


class KilledError(Exception):
    """Stands for kill -9: nothing of the loop runs after it."""


def kill(run, at_step):
    """Train up to a step and no further."""
    step = run.train_step

    def dying():
        if run.progress.step == at_step:
            raise KilledError
        step()

    run.train_step = dying
    with pytest.raises(KilledError):
        run.run()


COURSES = {
    "closed-form": {},
    "random-table": {"mu2_table": "random"},
    "hierarchical": {"block_sequences": 4},
    "levers": {
        "skip_nearest": 2,
        "mask_mels": 3,
        "gain_db": 6.0,
        "noise_floor_db": (-30.0, -10.0),
    },
    "early-stopping": {"patience": 1, "max_epochs": 9, "learning_rate": 0.2},
}


KILLED = [("lstm", course, at_step) for course in COURSES for at_step in (3, 10)]
KILLED += [(cell, "hierarchical", 13) for cell in ("lstm", "gru", "rnn", "dense")]


@pytest.mark.parametrize(("cell", "course", "at_step"), KILLED)
def test_killed_and_resumed_equals_uninterrupted(trainer, cell, course, at_step):
    course = COURSES[course]
    whole = trainer("whole", cell=cell, **course).run()
    assert whole.curve[-1].step > at_step
    assert "patience" not in course or len(whole.curve) < course["max_epochs"]
    kill(trainer("killed", cell=cell, **course), at_step=at_step)
    result = trainer("killed", cell=cell, **course).run()
    assert weights_equal(result.weights, whole.weights)
    assert result.curve == whole.curve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_in_the_middle_of_an_epoch_and_resumes_bit_equal(
    trainer, monkeypatch, number
):
    whole = trainer("whole").run()
    real = Trainer.train_step

    def signalled(self):
        real(self)
        if self.progress.step == 7:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "train_step", signalled)
    with pytest.raises(KeyboardInterrupt):
        trainer("stopped").run()
    monkeypatch.setattr(Trainer, "train_step", real)
    resumed = trainer("stopped")
    resumed._resume()
    assert resumed.progress.step == 7
    result = trainer("stopped").run()
    assert weights_equal(result.weights, whole.weights)
    assert result.curve == whole.curve


def test_long_epochs_are_saved_in_between_and_that_changes_nothing(trainer, monkeypatch):
    import fhvae.training.loop as loop

    course = {"epoch_steps": 50, "max_epochs": 2, "block_sequences": 4}
    whole = trainer("whole", **course).run()
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    kill(trainer("killed", **course), at_step=93)
    resumed = trainer("killed", **course)
    resumed._resume()
    assert resumed.progress.step == 80  # the last look at the sums before the kill
    result = trainer("killed", **course).run()
    assert weights_equal(result.weights, whole.weights)
    assert result.curve == whole.curve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_after_another_signal_interrupts_at_once(number):
    handler, seen = signal.getsignal(signal.SIGINT), []

    def insist():
        with noted_signals() as caught:
            os.kill(os.getpid(), number)
            seen.extend(caught)
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("swallowed")

    with pytest.raises(KeyboardInterrupt):
        insist()
    assert seen == [number]
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_dvc_after_a_signal_to_its_group_lets_the_step_be_saved(number):
    with noted_signals() as caught:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught == [number, signal.SIGTERM]


def test_the_average_is_kept_and_training_goes_on_from_its_own_weights(trainer):
    plain, averaged = trainer("plain"), trainer("averaged", average=0.9)
    first, second = plain.run(), averaged.run()
    assert weights_equal(plain.learner.network.state_dict(), averaged.learner.network.state_dict())
    assert [one.train for one in first.curve] == [one.train for one in second.curve]
    assert [one.dev for one in first.curve] != [one.dev for one in second.curve]
    assert first.weights.keys() == second.weights.keys()


@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_the_average_is_the_weighted_mean_of_the_weights_after_each_step(trainer, share):
    """A step of n steps ago weighs share^n, from the first step on; the initial weights nothing."""
    run = trainer(average=share, alpha=0.0)
    name, seen = "decoder.head.weight", []
    for done in range(1, 41):
        run.train_step()
        seen.append(run.learner.network.state_dict()[name].double())
        if done in (1, 2, 7, 40):
            weights = share ** torch.arange(done - 1, -1, -1).double()
            wanted = torch.tensordot(weights / weights.sum(), torch.stack(seen), 1)
            found = run.learner.kept.state_dict()[name].double()
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found, seen[-1])
    assert not any(weight.requires_grad for weight in run.learner.kept.parameters())


def test_the_average_is_adams_debiased_one(trainer):
    """Starting at zero and divided by 1 - share^u."""
    run, zero_started = trainer(average=0.9), 0.0
    for _ in range(12):
        run.train_step()
        own = run.learner.network.state_dict()["decoder.head.bias"].double()
        zero_started = 0.9 * zero_started + 0.1 * own
    found = run.learner.kept.state_dict()["decoder.head.bias"].double()
    torch.testing.assert_close(found, zero_started / (1 - 0.9**12), rtol=1e-5, atol=1e-7)


def test_a_longer_average_is_another_one_in_a_short_run(trainer):
    """With a head start of (1 + u) / (10 + u) all of them were the same for thousands of steps."""
    shares = (0.9, 0.99, 0.999)
    found = [trainer(str(share), average=share).run().curve[-1].dev for share in shares]
    assert len({one.lower_bound for one in found}) == len(shares)


def test_a_killed_run_takes_its_average_up_again(trainer):
    whole = trainer("whole", average=0.9).run()
    kill(trainer("killed", average=0.9), at_step=12)
    resumed = trainer("killed", average=0.9).run()
    assert resumed.curve == whole.curve
    assert weights_equal(resumed.weights, whole.weights)


def test_more_epochs_go_on_from_a_finished_checkpoint(trainer):
    """How long to train is not part of a run's name: the checkpoint serves longer runs."""
    trainer("run", max_epochs=2).run()
    longer = trainer("run", max_epochs=4).run()
    assert longer.curve == trainer("whole", max_epochs=4).run().curve


def test_divergence_is_a_sentence(trainer):
    with pytest.raises(TrainingError, match=r"training diverged: .* training.learning_rate"):
        trainer(learning_rate=1e30).run()


def test_divergence_leaves_no_nan_in_the_checkpoint(trainer, monkeypatch):
    """One epoch goes well; then the weights become NaN."""
    real = Trainer.train_step

    def breaking(self):
        if self.progress.step == 7:
            with torch.no_grad():
                self.learner.network.decoder.head.bias.fill_(float("nan"))
        real(self)

    monkeypatch.setattr(Trainer, "train_step", breaking)
    run = trainer()
    with pytest.raises(TrainingError, match=r"last finite epoch mean: -?[0-9.]+ nats at epoch 1"):
        run.run()
    state = run.checkpoint.load(torch.device("cpu"))
    assert state is not None
    for name in ("network", "best_weights"):
        assert all(torch.isfinite(value).all() for value in state[name].values())


def test_a_checkpoint_that_trained_longer_than_asked_for_is_not_used(trainer):
    """A kill at epoch 3 of 4, then max_epochs 2: the result is that of a run of 2 epochs.

    What the longer run had done is not lost.
    """
    kill(trainer("run", max_epochs=4), at_step=16)
    shorter = trainer("run", max_epochs=2).run()
    assert shorter.curve == trainer("fresh", max_epochs=2).run().curve
    folder = trainer("run").checkpoint.folder
    assert read_state(folder / "longer.pt", torch.device("cpu"))["step"] == 15


def test_broken_checkpoint_says_what_to_delete(trainer):
    run = trainer()
    run.checkpoint.path.parent.mkdir(parents=True)
    run.checkpoint.path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="delete the file to train from the start"):
        run.run()


def test_a_batch_larger_than_a_pass_is_refused(trainer):
    with pytest.raises(ParamsError, match=r"training.batch must be at most the \d+ segments"):
        trainer(batch=1000).run()


def test_collapse_is_named_in_the_curve_and_the_log(trainer, caplog):
    result = trainer(collapse_kl_z2=1e6).run()
    assert "dev KL of z2" in result.best.collapsed
    assert "looks collapsed" in caplog.text


def test_collapse_is_judged_by_passes_over_the_corpus_not_over_a_block(trainer, monkeypatch):
    import fhvae.training.loop as loop

    seen = []
    monkeypatch.setattr(
        loop, "collapse_reason", lambda *terms, passes, **facts: seen.append(passes) or ""
    )
    run = trainer(block_sequences=4, max_epochs=1, epoch_steps=9)
    run.run()
    assert run.progress.passes > 1
    assert seen == [run.progress.passes * 4 / 9]


def test_utterances_of_a_speaker_can_share_a_row_of_the_table(trainer, train_sequences):
    """`training.sequence: speaker`: three rows for nine utterances."""
    run = trainer()
    shared = dataclasses.replace(train_sequences, sequence=np.arange(9) % 3)
    result = Trainer(run.setting, shared, run.dev, run.checkpoint)
    assert result.learner.table.shape == (3, 2)
    found = result.run().curve[-1]
    assert found.log_q_of_chance == pytest.approx(-np.log(3))
    assert found.train.log_q > -np.log(3)
