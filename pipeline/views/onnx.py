"""A trained network as a file of ONNX, which other languages and runtimes read."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.embedding import Fitted
from pipeline.errors import PipelineError
from pipeline.inference.model import Model
from pipeline.quiet import Remarks, quiet

_EXPORTER = Remarks(("torch.onnx",))
"""The exporter warns about itself, and of packages that it does not need."""


def export_onnx(model: Model | Fitted, path: str | Path) -> None:
    """Write the network of a model or of a fit, with its vocabulary in the file's metadata.

    The inputs are `tokens` (B, L), the integers of the tokens of each list, filled with -1; and, for a number or a
    class, `dense` (B, F), NaN where a value is missing. The output `scores` has logits (B, V), numbers (B,) in the
    target's unit or probabilities (B, C). There are no weights: each token counts as one of the mean weight. Where the
    order of lists was learned, the latest token of a list stands last. The metadata `tokens` is a JSON list: a token's
    place in it is its integer; `dense` and `classes` name the columns of the others.

    Args:
        model: of the learned embedding; or a fit of it, from `load_fitted`, where another method is champion.
        path: of the file.

    Raises:
        PipelineError: the model is of another method, or a package is missing.
    """
    fitted: Any = model.fitted if isinstance(model, Model) else model
    task = getattr(fitted, "task", None)
    if task is None or getattr(fitted, "network", None) != task.network:
        name = f"{model.facts['name']}: {model.facts['fit']}" if isinstance(model, Model) else type(model).__name__
        raise PipelineError(
            f"{name} is no network. Give a fit of the embedding: `load_fitted(folder)` with the folder of its run."
        )
    try:
        import onnx
        import onnxscript  # noqa: F401 - PyTorch exports with it
    except ImportError as error:
        raise PipelineError("this needs onnx and onnxscript: pip install 'embedding-pipeline[onnx]'") from error
    import torch

    from pipeline.network.padded_networks import PaddedMissingTokens, PaddedTarget

    is_target, dense = not task.predicts_tokens, list(getattr(task, "dense", ()))
    module = (PaddedTarget if is_target else PaddedMissingTokens)(fitted.weights, fitted.task).eval()
    example = [torch.tensor([[0, 1, -1], [1, -1, -1]])]
    shapes: dict[str, Any] = {"tokens": {0: "lists", 1: "longest"}}
    if is_target:
        example.append(torch.from_numpy(np.zeros((2, len(dense)), np.float32)))
        shapes["dense"] = {0: "lists"}
    with quiet(_EXPORTER):
        made = torch.onnx.export(
            module, tuple(example), dynamo=True, dynamic_shapes=shapes, verbose=False,
            input_names=list(shapes), output_names=["scores"],
        )  # fmt: skip
    assert made is not None
    proto = made.model_proto
    told = {
        "tokens": fitted.embedding.vocabulary.tokens["token"].to_list(),
        "dense": dense,
        "classes": [str(name) for name in fitted.weights.get("target_classes", ())],
    }
    onnx.helper.set_model_props(proto, {name: json.dumps(value, ensure_ascii=False) for name, value in told.items()})
    onnx.save(proto, str(path))
