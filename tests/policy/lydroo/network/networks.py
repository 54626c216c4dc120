"""The two networks in PyTorch, whose derivatives are what ours are measured against."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from quedge.policy.lydroo.network import Actor, SharedActor, Weights
from quedge.policy.lydroo.replay import Batch


def logits_of(actor: Actor, weights: dict[str, Tensor], features: Tensor, present: Tensor) -> Tensor:
    """Logits, shape (frames, devices); `present` is 1 for a device and 0 for padding."""
    linear, relu = torch.nn.functional.linear, torch.relu
    if not isinstance(actor, SharedActor):
        hidden = relu(linear(features.flatten(1), weights["first.weight"], weights["first.bias"]))
        hidden = relu(linear(hidden, weights["second.weight"], weights["second.bias"]))
        return linear(hidden, weights["output.weight"], weights["output.bias"])
    embedded = relu(linear(features, weights["embed.weight"], weights["embed.bias"])) * present[:, :, None]
    pooled = torch.cat((embedded.sum(1) / present.sum(1, keepdim=True), embedded.amax(1)), 1)
    context = linear(pooled, weights["context.weight"], weights["context.bias"])
    hidden = relu(linear(embedded, weights["own.weight"]) + context[:, None, :])
    return linear(hidden, weights["output.weight"], weights["output.bias"]).squeeze(-1)


def loss_and_gradient(actor: Actor, weights: Weights, batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """The mean cross-entropy over all devices that are there, and its gradient, by PyTorch in double precision."""
    theirs = {name: torch.from_numpy(values.astype(np.float64)).requires_grad_() for name, values in weights.items()}
    present = torch.from_numpy((np.arange(batch.offload.shape[1]) < batch.devices[:, np.newaxis]).astype(np.float64))
    logits = logits_of(actor, theirs, torch.from_numpy(batch.features.astype(np.float64)), present)
    loss = (
        torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(batch.offload.astype(np.float64)), present, reduction="sum"
        )
        / present.sum()
    )
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), {name: values.grad.numpy() for name, values in theirs.items() if values.grad is not None}
