import torch

from tests.training.gan import tiny
from training.gan.frozen import attention_for, frozen, fuse_activations


def test_a_frozen_base_computes_what_it_computed() -> None:
    for family in ("gpt2", "gptj"):
        base = tiny.model(family)
        ids = torch.randint(4, 60, (2, 30), generator=torch.Generator().manual_seed(0))
        before = base(input_ids=ids).logits.detach()
        assert frozen(base) is base
        torch.testing.assert_close(base(input_ids=ids).logits, before, atol=1e-4, rtol=1e-4)
        assert not any(weight.requires_grad for weight in base.parameters())
        assert fuse_activations(base) == 0  # nothing is left to replace
    assert fuse_activations(tiny.model("gpt2")) == 3


def test_attention_goes_by_the_device() -> None:
    assert attention_for(torch.device("cpu")) == "eager"
    assert attention_for(torch.device("cuda")) == "sdpa"
