"""How Lightning trains inside a worker: options of its Trainer."""

from typing import Any


def trainer_options(is_divided: bool) -> dict[str, Any]:
    """The options of Lightning's Trainer in a worker of Ray Train.

    Args:
        is_divided: whether each worker has a part of the network of its own, whose gradients are exchanged by the
            network itself; otherwise all have the same network, and Lightning adds up their gradients.
    """
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    class Divided(RayDDPStrategy):  # type: ignore[misc]
        """Leaves the gradients alone, and saves a checkpoint in each worker."""

        def _setup_model(self, model: Any) -> Any:
            return model

        def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
            self.checkpoint_io.save_checkpoint(checkpoint, filepath, storage_options=storage_options)

    return {
        "devices": "auto",
        "strategy": (Divided if is_divided else RayDDPStrategy)(),
        "plugins": [RayLightningEnvironment()],
    }
