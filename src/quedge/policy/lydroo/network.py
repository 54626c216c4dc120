"""The actors as PyTorch networks, and their training: the only file of the policy that needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quedge.policy.lydroo.actor import Actor, MlpActor, SharedActor, Weights
from quedge.policy.lydroo.adam import adam
from quedge.policy.lydroo.replay import Batch

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # as PyTorch's Adam calls them


class SharedNetwork(nn.Module):
    """`SharedActor` for batches."""

    def __init__(self, actor: SharedActor, features: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, actor.embedding)
        self.own = nn.Linear(actor.embedding, actor.hidden, bias=False)
        self.context = nn.Linear(2 * actor.embedding, actor.hidden)
        self.output = nn.Linear(actor.hidden, 1)

    def forward(self, features: Tensor, present: Tensor | None = None) -> Tensor:
        """Logits, shape (frames, devices).

        Args:
            features: shape (frames, devices, features).
            present: 1 where a frame has a device, 0 where it is padding, shape (frames, devices); all present without.
        """
        embedded = torch.relu(self.embed(features))
        if present is None:
            mean = embedded.mean(1)
        else:
            embedded = embedded * present[:, :, None]
            mean = embedded.sum(1) / present.sum(1, keepdim=True)
        context = self.context(torch.cat((mean, embedded.amax(1)), 1))
        hidden = torch.relu(self.own(embedded) + context[:, None, :])
        logits: Tensor = self.output(hidden).squeeze(-1)
        return logits


class MlpNetwork(nn.Module):
    """`MlpActor` for batches."""

    def __init__(self, actor: MlpActor, devices: int, features: int) -> None:
        super().__init__()
        self.first = nn.Linear(devices * features, actor.hidden[0])
        self.second = nn.Linear(actor.hidden[0], actor.hidden[1])
        self.output = nn.Linear(actor.hidden[1], devices)

    def forward(self, features: Tensor, present: Tensor | None = None) -> Tensor:
        """Logits, shape (frames, devices); arguments as in `SharedNetwork.forward`."""
        hidden = torch.relu(self.first(features.flatten(1)))
        logits: Tensor = self.output(torch.relu(self.second(hidden)))
        return logits


def network_of(actor: Actor, weights: Weights) -> nn.Module:
    """The network of an actor, on the very memory of its weights.

    Raises:
        ValueError: an actor that has no network.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        network: nn.Module
        if isinstance(actor, SharedActor):
            network = SharedNetwork(actor, weights["embed.weight"].shape[1])
        elif isinstance(actor, MlpActor):
            devices = weights["output.bias"].size
            network = MlpNetwork(actor, devices, weights["first.weight"].shape[1] // devices)
        else:
            raise ValueError(f"actor: {actor!r} is not allowed; it must be a SharedActor or an MlpActor")
    network.load_state_dict({name: torch.from_numpy(values) for name, values in weights.items()}, assign=True)
    return network


class Trainer:
    """Steps of Adam on the mean binary cross-entropy; its moments are kept from step to step.

    The weights change in place: whoever holds the arrays sees them change.
    """

    def __init__(self, actor: Actor, weights: Weights) -> None:
        self.network = network_of(actor, weights)
        self._moments: dict[str, dict[str, NDArray[np.float32]]] = {}

    def step(self, batch: Batch, learning_rate: float) -> float:
        """One step on a batch; returns the loss before it."""
        present = None if batch.present is None else torch.from_numpy(batch.present)
        with one_thread():
            self.network.zero_grad(set_to_none=True)
            logits = self.network(torch.from_numpy(batch.features), present)
            loss = nn.functional.binary_cross_entropy_with_logits(
                logits, torch.from_numpy(batch.offload), present, reduction="mean" if present is None else "sum"
            )
            if present is not None:
                loss = loss / present.sum()
            loss.backward()  # type: ignore[no-untyped-call]
            for name, parameter in self.network.named_parameters():
                assert parameter.grad is not None
                self._descend(name, parameter.detach().numpy(), parameter.grad.numpy(), learning_rate)
        return loss.item()

    def moments(self) -> dict[str, NDArray[np.float32]]:
        """Adam's memory, by `weight:moment`; empty before the first step."""
        return {
            f"{name}:{moment}": values.copy()
            for name, moments in self._moments.items()
            for moment, values in moments.items()
        }

    def restore(self, moments: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on with the memory that `moments` gave."""
        names = [name for name, _ in self.network.named_parameters()] if moments else []
        self._moments = {name: {moment: np.array(moments[f"{name}:{moment}"]) for moment in _MOMENTS} for name in names}

    def _descend(
        self, name: str, weights: NDArray[np.float32], gradient: NDArray[np.float32], learning_rate: float
    ) -> None:
        """A step of Adam for one array of weights."""
        if name not in self._moments:
            self._moments[name] = {
                "step": np.zeros((), np.float32),
                "exp_avg": np.zeros_like(weights),
                "exp_avg_sq": np.zeros_like(weights),
            }
        step, mean, square = self._moments[name].values()
        step += np.float32(1.0)
        adam(
            weights.reshape(-1), gradient.reshape(-1), mean.reshape(-1), square.reshape(-1), float(step), learning_rate
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: networks as small as these lose by more, and sums would depend on their number.

    The process's own setting is left as it was.
    """
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
