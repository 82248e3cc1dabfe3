"""One conf file as one object: one dataset, one complete experiment."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.baselines import RIVALS, Baseline, Rival
from pipeline.config.records import Source, Split, Tokens, VocabularySettings
from pipeline.config.section import Dimensions, Section, as_tuple
from pipeline.config.tasks import Task
from pipeline.config.training import MANY_LOGITS, MissingTokensTraining, RegressionTraining

LADDER = (1, 2, 3, 4, 8, 16, 32, 64, 128)
"""Each D of `dimensions: auto`."""
EXACT_LOGITS = 10**8
"""Examples x tokens: up to so many are learned from in 64 bits."""


def _auto(value: Any) -> Any:
    return None if value == "auto" else value


def _as_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class Dataset(Section):
    """One conf file: one dataset, one experiment, one asset group."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The file's name without its ending: letters, digits and `_`."""
    description: str
    """What the data is and what is learned, in a sentence or two."""
    source: Source
    example: str | None = None
    """The column whose value tells which rows make up one example, such as a user. Default: every row is an example."""
    tokens: tuple[Tokens, ...] = Field(min_length=1)
    """How an example's rows become its sparse list of tokens."""
    split: Annotated[Split, BeforeValidator(lambda v: {"column": v} if isinstance(v, str) else v)] = Split()
    vocabulary: VocabularySettings = VocabularySettings()
    task: Task
    dimensions: Annotated[Dimensions | None, BeforeValidator(_auto)]
    """Each D to fit: the nodes of the hidden layer, the coordinates of a token. `auto`: 1, 2, 3, 4, 8, ... 128, as far
    as the data has room. The comparison tells which D to take. One D can also be written as `dimension: 8`."""
    training: Annotated[MissingTokensTraining | RegressionTraining, Field(discriminator="kind")]
    """How the network is trained; every setting has a default."""
    baseline: Baseline = Baseline()
    rivals: Annotated[tuple[Annotated[Rival, BeforeValidator(_as_kind)], ...], BeforeValidator(as_tuple)] = ()
    """What else is compared, each by its name, or with settings as `{kind: als, regularisation: [1, 10]}`: of several
    values validation chooses, and of those that are as good the first, so the simplest one should stand first.
    Default: popularity for missing tokens, the mean for a number."""
    refit: bool = False
    """Once validation has decided (epochs, a rival's settings), fit on training and validation together before the
    test, as published figures mostly do; every method alike."""
    seed: int = Field(1, ge=0, lt=2**32)
    """Of the split, the fold-in and the training."""
    precision: Literal[32, 64] | None = None
    """Bits of the numbers that every method computes with. Processors round differently, but the last bits of 64 are
    far below any digit that is shown: the figures are the same on all of them. 32 is faster, needs half the memory, and
    moves figures by a small part of their intervals. Default: 64 up to N x V = 100 million, beyond that 32."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, data: Any) -> Any:
        if isinstance(data, dict) and "dimension" in data and "dimensions" not in data:
            data = {"dimensions" if key == "dimension" else key: value for key, value in data.items()}
        task = data.get("task") if isinstance(data, dict) else None
        kind = task.get("kind") if isinstance(task, dict) else None
        if isinstance(kind, str) and kind in RIVALS:
            training = {} if data.get("training") is None else data["training"]
            if isinstance(training, dict):
                quick = RIVALS[kind][0].model_fields["kind"].default
                data = {"rivals": [quick], **data, "training": {**training, "kind": kind}}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "Dataset":
        ours = [kind.model_fields["kind"].default for kind in RIVALS[self.task.kind]]
        named = [rival.kind for rival in self.rivals]
        if set(named) - set(ours):
            raise PydanticCustomError("rivals", f"`rivals` of the task {self.task.kind} can be: {', '.join(ours)}")
        if len(set(named)) < len(named):
            raise PydanticCustomError("rivals", "`rivals` names one twice")
        if "boosted_trees" in named and self.task.kind == "regression" and not self.task.dense:
            raise PydanticCustomError(
                "rivals", "`rivals`: boosted_trees grow from the columns of `task.dense`: add some"
            )
        return self

    @property
    def file(self) -> str:
        """What messages call it: the file's name."""
        return f"{self.name}.yaml"

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every setting that has no value in the file and depends on the size of the data.

        Args:
            n_examples: N, those of training.
            n_tokens: V.
        """
        room = min(n_examples, n_tokens) - 1
        dimensions = tuple(d for d in LADDER if d <= room) if self.dimensions is None else self.dimensions
        powers = (2**i for i in range(room.bit_length()))
        above = {d for d in powers if min(dimensions, default=1) < d <= min(room, 4 * max(dimensions, default=1))}
        baseline = self.baseline.dimensions or tuple(sorted({*dimensions, *above}))
        task = self.task
        if task.kind == "missing_tokens":
            judged = task.judged or max(10_000, MANY_LOGITS // n_tokens)
            task = task.model_copy(update={"judged": judged})
        return self.model_copy(
            update={
                "task": task,
                "dimensions": dimensions,
                "baseline": self.baseline.model_copy(update={"dimensions": baseline}),
                "training": self.training.resolved(n_examples, n_tokens),
                "precision": self.precision or (64 if n_examples * n_tokens <= EXACT_LOGITS else 32),
            }
        )

    @property
    def dtype(self) -> str:
        """The type of the numbers that are computed with, as NumPy and PyTorch call it."""
        return f"float{self.precision or 64}"

    @property
    def judged(self) -> int | None:
        """At most so many examples of a part are judged; None: all."""
        return self.task.judged if self.task.kind == "missing_tokens" else None

    @property
    def logs(self) -> bool:
        """Whether the target is trained on, and judged, as a logarithm too."""
        return self.task.kind == "regression" and self.task.log

    def rival(self, kind: str) -> Section:
        """The settings of a rival."""
        return next(rival for rival in self.rivals if rival.kind == kind)

    @property
    def token_columns(self) -> tuple[str, ...]:
        """Every column that makes tokens, in the order of conf."""
        return tuple(column for tokens in self.tokens for column in tokens.columns)
