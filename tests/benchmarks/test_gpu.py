"""The measurements of a GPU: several models as one, and the script up to the calls of CUDA."""

import pytest
import torch

from benchmarks.batched_models import BatchedLstm, BatchedModels, fused_states, next_states
from benchmarks.given_noise import GivenNoiseNetworks
from fhvae.model.network import new_network
from fhvae.model.objective import log_q_sequence, segment_terms
from fhvae.params import ModelParams

FRAMES, SEGMENTS, MELS, ROWS, Z1, Z2, MODELS, ALPHA = 5, 11, 7, 4, 3, 2, 3, 10.0
CUDA = torch.device("cuda", 0)


def single_models(layers):
    sizes = ModelParams(
        cell="lstm", layers=layers, cells=6, z1=Z1, z2=Z2, z1_std=1.2, z2_std=0.5, mu2_std=0.9
    )
    networks = [new_network(MELS, FRAMES, sizes, seed) for seed in range(MODELS)]
    for network in networks:  # biases start alike in all models
        for name, weight in network.named_parameters():
            if name.endswith("bias") or "bias_ih" in name:
                weight.data.normal_(std=0.3)
    return networks, [torch.nn.Parameter(torch.randn(ROWS, Z2)) for _ in networks]


def batches():
    draw = torch.Generator().manual_seed(1)
    segments = torch.randn(FRAMES, MODELS, SEGMENTS, MELS, generator=draw)
    sequence = torch.randint(ROWS, (MODELS, SEGMENTS), generator=draw)
    return segments, sequence, torch.arange(3.0, 3 + ROWS)[sequence]


def losses_one_by_one(networks, tables):
    draw = torch.Generator().manual_seed(2)
    noise2, noise1 = (torch.randn(MODELS, SEGMENTS, size, generator=draw) for size in (Z2, Z1))
    segments, sequence, counts = batches()
    for place, (network, table) in enumerate(zip(networks, tables, strict=True)):
        given = GivenNoiseNetworks(network, noise2[place], noise1[place])
        own = segments[:, place].contiguous(), table[sequence[place]], counts[place]
        terms = segment_terms(given, *own, torch.Generator())
        log_q = log_q_sequence(terms.z2.mean, table, sequence[place], 0.5)
        yield -(terms.lower_bound + ALPHA * log_q).mean()


@pytest.mark.parametrize("layers", [1, 2])
def test_models_in_one_have_the_losses_and_gradients_of_each(layers):
    networks, tables = single_models(layers)
    batched = BatchedModels(networks, tables, ALPHA)
    found = batched(*batches(), torch.Generator().manual_seed(2))
    wanted = torch.stack(list(losses_one_by_one(networks, tables)))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
    found.sum().backward()
    wanted.sum().backward()
    own = {name: weight.grad for name, weight in batched.named_parameters()}
    for place, network in enumerate(networks):
        pairs = {"tables": tables[place].grad}
        for part in ("z2_encoder", "z1_encoder", "decoder"):
            single = getattr(network, part)
            pairs[f"heads.{part}.weight"] = single.head.weight.grad.T
            pairs[f"heads.{part}.bias"] = single.head.bias.grad[None]
            for layer in range(layers):
                for ours, theirs in (("from_input", "weight_ih"), ("from_state", "weight_hh")):
                    gradient = getattr(single.lstm, f"{theirs}_l{layer}").grad.T
                    pairs[f"lstms.{part}.{ours}.{layer}"] = gradient
                bias = getattr(single.lstm, f"bias_ih_l{layer}").grad
                pairs[f"lstms.{part}.bias.{layer}"] = bias[None]
        assert pairs.keys() == own.keys()
        for name, gradient in pairs.items():
            torch.testing.assert_close(own[name][place], gradient, rtol=1e-4, atol=1e-5)


def test_the_form_of_a_gpu_is_that_of_the_cpu():
    """With a stand-in for the kernel: `[row, gate]`, `[row, cell]` in, two states and gates out."""
    torch.manual_seed(0)
    shapes = ((3, 5, 24), (3, 5, 6), (3, 5, 6), (3, 6, 24))
    gates, hidden, cell, from_state = (torch.randn(shape) for shape in shapes)

    def kernel(from_input, from_hidden, before):
        assert before.shape == (15, 6)
        into, forget, new, out = (from_input + from_hidden).chunk(4, dim=1)
        after = forget.sigmoid() * before + into.sigmoid() * new.tanh()
        return out.sigmoid() * after.tanh(), after, from_input

    found = fused_states(gates, torch.bmm(hidden, from_state), cell, kernel)
    for one, other in zip(found, next_states(gates, hidden, cell, from_state), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
def test_layers_in_one_have_the_states_and_gradients_of_the_cpu():
    networks, _ = single_models(layers=2)
    lstms = BatchedLstm([network.z2_encoder.lstm for network in networks])
    segments, *_ = batches()
    found = []
    for device in (torch.device("cpu"), CUDA):
        lstms.to(device).zero_grad()
        outputs, last = lstms(segments.to(device), FRAMES)
        (outputs.square().sum() + last.sum()).backward()
        gradients = [weight.grad.clone().cpu() for weight in lstms.parameters()]
        found.append([outputs.detach().cpu(), last.detach().cpu(), *gradients])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-4, atol=1e-4)
