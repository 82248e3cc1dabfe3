"""A bare FastAPI route that answers with a NumPy product over all tokens: what `make serve` is measured beside.

python -m benchmarks.bare FOLDER PORT
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pipeline.inference.model import Model


def app(folder: Path) -> Any:
    """The application: `POST /invocations` with the body that `make serve` takes."""
    from fastapi import FastAPI

    model: Any = Model.load(folder)
    factors, tokens = model.best.factors, model.embedding.vocabulary.tokens
    names, labels = tokens["token"].to_list(), tokens["label"].to_list()
    places = {label: place for place, label in reversed(list(enumerate(labels)))}
    made = FastAPI()

    @made.post("/invocations")
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        k, answers = request["params"]["k"], []
        for row in request["dataframe_records"]:
            given = sorted(places[text] for text in row["tokens"])
            inputs = sparse.csr_matrix((np.ones(len(given)), given, [0, len(given)]), shape=(1, len(labels)))
            scores = factors.items @ factors.queries(inputs)[0]
            scores[given] = -np.inf
            best = np.argpartition(-scores, k)[:k]
            best = best[np.argsort(-scores[best])]
            answers.append([{"token": names[i], "label": labels[i], "score": float(scores[i])} for i in best])
        return {"predictions": answers}

    return made


if __name__ == "__main__":
    import uvicorn
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # as `make serve` does: threads inside a request would only wait for each other
    uvicorn.run(app(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
