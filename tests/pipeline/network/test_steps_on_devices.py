"""No GPU is needed: on PyTorch's device `meta`, which has shapes and no numbers, each step that would wait for a
number, and each that would mix devices, is refused."""

from typing import Any

import polars as pl
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.config.dataset import Dataset
from pipeline.config.training import Schedule
from pipeline.embedding import Problem
from pipeline.network.batches import Batches
from pipeline.network.course import CourseNetwork
from pipeline.network.sampled_softmax import RowWiseAdagrad
from pipeline.network.task_module import TaskModule, module_of, on_device
from tests.conftest import encoded_from

META = torch.device("meta")


def prepared(records: pl.DataFrame, conf: Dataset, course: bool, **options: Any) -> tuple[TaskModule, dict[str, Any]]:
    """A module at its start in numbers of 32 bits, and a training batch."""
    conf = conf.model_copy(update={"precision": 32, "training": conf.training.model_copy(update=options)})
    vocabulary, examples = encoded_from(records, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    problem = Problem(examples.training(), vocabulary, conf, 2)
    settings: Schedule = CourseNetwork().resolved(100, len(vocabulary), (2,)) if course else conf.training
    learner = "pipeline.network.course_module" if course else conf.task.learner
    module, sets, _ = module_of(learner).prepared(problem, settings, 10, settings.choices()[0], {})
    training: Batches = sets[0]
    return module, training[range(32)]


class OnOneDevice(TorchDispatchMode):
    """Refuses an operation whose result is on another device."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device, self.operations = device, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.operations += 1
        for one in made if isinstance(made, tuple | list) else [made]:
            assert not isinstance(one, torch.Tensor) or one.device == self.device, f"{func} made a tensor elsewhere"
        return made


STEPS = [
    ("two_genres", "movies", False, {}),
    ("two_genres", "movies", False, {"decoupled": False, "input_share": (0.3, 0.8), "dropout": 0.1}),
    ("two_genres", "movies", False, {"negatives": 8, "input_share": (0.3, 0.8), "dropout": 0.1}),
    ("two_genres", "movies", False, {"negatives": 8}),
    ("two_genres", "movies", True, {}),
    ("priced_words", "homes", False, {}),
    ("priced_words", "homes", False, {"members": 4}),
    ("noted_words", "notes", False, {}),
]


@pytest.mark.parametrize(("data", "name", "course", "options"), STEPS)
def test_a_step_stays_on_its_device_and_never_waits_for_a_number(
    data: str, name: str, course: bool, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    module, batch = prepared(request.getfixturevalue(data), request.getfixturevalue(name), course, **options)
    module.to(META)
    for training in (True, False):
        module.train(training)
        plan = on_device(module.plan(batch), META)
        with OnOneDevice(META) as watch:
            loss = module.loss_of(plan)
            if training:
                loss.backward()
        assert watch.operations > 10
    assert all(parameter.grad is not None for parameter in module.parameters() if parameter.requires_grad)


def test_the_optimiser_of_touched_rows_stays_there_too(two_genres: pl.DataFrame, movies: Dataset) -> None:
    module, batch = prepared(two_genres, movies, False, negatives=8)
    module.to(META)
    optimiser = module.configure_optimizers()["optimizer"]
    assert isinstance(optimiser, RowWiseAdagrad)
    rows = on_device(module.plan(batch), META)["touched"]
    for parameter in module.parameters():  # as autograd makes them elsewhere; on this device it leaves the rows out
        values = torch.empty(len(rows), *parameter.shape[1:], device=META)
        parameter.grad = torch.sparse_coo_tensor(rows[None], values, parameter.shape, check_invariants=False)
    with OnOneDevice(META) as watch:
        optimiser.step()
    assert watch.operations > 10


def test_the_tests_above_can_fail(two_genres: pl.DataFrame, movies: Dataset) -> None:
    """A tensor made without a device, lists left behind, and a number that is waited for."""
    module, batch = prepared(two_genres, movies, False, negatives=8)
    module.to(META)
    with pytest.raises(AssertionError, match="made a tensor elsewhere"), OnOneDevice(META):
        torch.zeros(3)
    with pytest.raises((RuntimeError, NotImplementedError)):
        module.loss_of(module.plan(batch))
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(module.loss_of(on_device(module.plan(batch), META)))


def test_weights_and_labels_that_are_the_inputs_are_moved_once(two_genres: pl.DataFrame, movies: Dataset) -> None:
    module, batch = prepared(two_genres, movies, False, negatives=8)
    plan = on_device(module.plan(batch), META)
    assert plan["labels"] is plan["inputs"]
