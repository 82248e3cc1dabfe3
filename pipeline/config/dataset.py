"""One conf file as one object: one dataset, one complete experiment."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from pipeline.config.baseline import Baseline
from pipeline.config.inference import InferenceSettings
from pipeline.config.records import Source, Split, VocabularySettings
from pipeline.config.refresh import Refresh
from pipeline.config.section import Dimensions, OneOf, OneOrMore, Section, as_tuple
from pipeline.config.task import Number, Task
from pipeline.config.tokens import Tokens
from pipeline.config.training import Training

LADDER = (1, 2, 3, 4, 8, 16, 32, 64, 128)
"""The dimensions D that `dimensions: auto` tries, as far as the data has room."""
EXACT_LOGITS = 10**8
"""Up to this many training examples x tokens (N x V), precision is 64 bits, with replicas and more than one seed."""
REPLICAS = 6
"""Three pairs of halves."""
SEEDS, SEEDS_OF_FOLDS = 3, 2
"""With folds, two fits in each say as much about the chance of a training as several of one split."""


def _auto(value: Any) -> Any:
    return None if value == "auto" else value


def _by_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Dataset(Section):
    """One conf file: one dataset, one experiment, one asset group."""

    renamed: ClassVar = dict.fromkeys(
        ("baseline", "rivals"),
        "PCA and all others are in `baselines` now, such as `baselines: [{kind: pca, dimensions: [8]}, als]`",
    )

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The file's name without its ending: letters, digits and `_`."""
    description: str = Field(max_length=10_000)
    """What the data is and what is learned, in a sentence or two."""
    engine: Literal["local", "ray"] = "local"
    """Where records are counted and encoded, held-out examples evaluated, and answers in bulk made: in this process, or
    in parts on a cluster of [Ray](https://docs.ray.io), with the same results. RAY_ADDRESS in the environment names the
    cluster; without it a Ray of this machine is started. Needs `pip install 'embedding-pipeline[ray]'`."""
    source: Source
    example: str | None = None
    """The column whose value tells which rows make up one example, such as a user. Default: every row is an example."""
    tokens: tuple[Annotated[Tokens, OneOf()], ...] = Field(min_length=1)
    """How an example's rows become its sparse list of tokens."""
    weight: str | None = None
    """A column of numbers above 0 that says how much a row's tokens count in its example, such as ratings, minutes or
    plays. The weights of the rows with the same token add up. Every method that looks at tokens learns from them: where
    tokens are predicted, from log(1 + weight / geometric mean), because what is played a hundred times as often is not
    liked a hundred times as much; where a target is, from weight / mean. Held-out tokens all count the same. In a file
    or request that lacks the column, tokens count as much as they did on average. Default: a token counts once, however
    many rows it is in."""
    split: Annotated[Split, BeforeValidator(_by_column, json_schema_input_type=str | Split)] = Split()
    vocabulary: VocabularySettings = VocabularySettings()
    task: Annotated[Task, OneOf()]
    dimensions: Annotated[
        Dimensions | None, BeforeValidator(_auto, json_schema_input_type=Literal["auto"] | Dimensions)
    ]
    """Each D to fit: D is the number of hidden nodes and the number of coordinates of a token. `auto`: 1, 2, 3, 4, 8,
    ... 128, as far as the data has room. The comparison tells which D to take. A single D can also be written as
    `dimension: 8`."""
    training: Annotated[Training, OneOf()]
    """How the network is trained; every setting has a default."""
    baselines: Annotated[tuple[Annotated[Baseline, OneOf(by_name=True)], ...], OneOrMore()] = ()
    """The baselines that the embedding is compared with, each by its name, or with settings as in
    `{kind: als, alpha: [1, 5]}`. Validation chooses among several values, and takes the first of those that are equally
    good, so write the simplest first. PCA is always included. Default: PCA and the task's quick baseline, which gives
    every example the same answer."""
    refresh: Refresh = Refresh()
    inference: InferenceSettings = InferenceSettings()
    refit: bool = False
    """After validation has chosen (epochs, a baseline's settings), fit every method again on training and validation
    together, before the test. Most published figures are made like this."""
    replicas: int | None = Field(None, ge=0, le=100)
    """How many times each embedding, and PCA of the same D, is learned again from halves of its examples, which tells
    how far the nearest tokens hold: the two halves of a pair share no example. A replica learns for a third of the
    epochs of its fit, and up to D = 2 for all of them. 0: not at all. Default: 6 up to N x V = 100 million, else 0."""
    seeds: int | None = Field(None, ge=1, le=100)
    """How many fits, each with a seed of its own, tell how far the chance of a training moves a metric, for every
    method that has chance in it. Intervals and verdicts then cover the examples and the seeds. What is kept is the fit
    of `seed`. 1: intervals cover the examples only. Default: 3, with folds 2 in each, up to N x V = 100 million, and 1
    beyond."""
    seed: int = Field(1, ge=0, lt=2**32)
    """Seed of the split, the fold-in and the training."""
    precision: Literal[32, 64] | None = None
    """Bits of the numbers that every method computes with. Processors round the last bits differently. With 64 bits
    the difference is far below any digit shown, so the figures are the same on every processor. 32 bits are faster,
    need half the memory, and move figures by a small part of their intervals. Default: 64 up to N x V = 100 million,
    32 beyond."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What an editor accepts as a conf file: the task tells which training and which baselines there are."""
        made = handler(schema)
        file = handler.resolve_ref_schema(made)
        keys = file["properties"]
        del keys["name"]
        keys["dimension"] = {**keys["dimensions"], "description": "Another name of `dimensions`, for a single D."}
        file["required"] = [key for key in file["required"] if key in keys and key not in ("dimensions", "training")]
        file["anyOf"] = [{"required": ["dimensions"]}, {"required": ["dimension"]}]
        file["allOf"] = [_of_task(kind, handler) for kind in Task.modules]
        keys["training"] = {"type": "object", "description": keys["training"]["description"]}
        return made

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, data: Any) -> Any:
        if isinstance(data, dict) and "dimension" in data and "dimensions" not in data:
            data = {"dimensions" if key == "dimension" else key: value for key, value in data.items()}
        task = data.get("task") if isinstance(data, dict) else None
        kind = task.get("kind") if isinstance(task, dict) else None
        if isinstance(kind, str) and kind in Task.modules:
            training = {} if data.get("training") is None else data["training"]
            if isinstance(training, dict):
                data = {**data, "training": {**training, "kind": kind}}
            data = {**data, "baselines": _with_pca(data.get("baselines"), kind)}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "Dataset":
        named = [baseline.kind for baseline in self.baselines]
        if not all(isinstance(self.task, baseline.of_task) for baseline in self.baselines):
            possible = (kind for kind, one in Baseline.kinds().items() if isinstance(self.task, one.of_task))
            raise PydanticCustomError(
                "baselines", f"`baselines` of the task {self.task.kind} can be: {', '.join(possible)}"
            )
        of_tokens = [(tokens.kind, column) for tokens in self.tokens for column in tokens.columns]
        if len(set(of_tokens)) < len(of_tokens):
            raise PydanticCustomError("tokens", "`tokens` makes the same tokens of a column twice")
        answers = {self.task.answer} - {None}
        if self.weight in answers:
            raise PydanticCustomError("weight", "`weight` names the target, which would be known: leave it out")
        if answers & set(self.token_columns):
            raise PydanticCustomError("tokens", "`tokens` are made of the target, which would be known: leave it out")
        lists = {column for tokens in self.tokens if tokens.reads_lists for column in tokens.columns}
        if self.split.group in answers:
            message = "`split.group` names the target: an answer that some have in common is no group"
            raise PydanticCustomError("split", message)
        if self.split.group in lists:
            message = "`split.group` names a column of lists: a group has one value, such as a customer's number"
            raise PydanticCustomError("split", message)
        if self.weight is not None and self.example is None:
            message = "`weight` tells the tokens of an example apart, so `example` has to say which rows are one"
            raise PydanticCustomError("weight", message)
        if self.replicas == 1:
            raise PydanticCustomError("replicas", "`replicas` are compared with each other: say 0, or 2 and more")
        if self.split.hold_out in ("tokens", "last"):
            self._require_parts_of_examples()
        if len(set(named)) < len(named):
            raise PydanticCustomError("baselines", "`baselines` names one twice")
        for baseline in self.baselines:
            baseline.require_settings(self.task)
        return self

    def _require_parts_of_examples(self) -> None:
        """Refuse to divide examples that cannot be."""
        lists = self.example is None and all(tokens.reads_lists for tokens in self.tokens)
        if not self.task.predicts_tokens:
            said = "`split.hold_out` divides examples, but an answer belongs to a whole one: say `examples`"
        elif self.split.by_order and not (lists and len(self.token_columns) == 1):
            said = (
                "`split.hold_out: last` without `time` goes by the order of lists, so every row has to be an example "
                "(leave out `example`), and its tokens `items` of one column"
            )
        elif self.split.time is not None and self.example is None:
            said = "`split.hold_out` divides the rows of an example, so `example` has to say which rows are one"
        else:
            return
        raise PydanticCustomError("split", said)

    @property
    def file(self) -> str:
        """The file's name, as messages show it."""
        return f"{self.name}.yaml"

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """These settings, with the defaults that depend on the size of the data filled in.

        Args:
            n_examples: N, the number of training examples.
            n_tokens: V, the size of the vocabulary.
        """
        room, is_small = min(n_examples, n_tokens) - 1, n_examples * n_tokens <= EXACT_LOGITS
        dimensions = tuple(d for d in LADDER if d <= room) if self.dimensions is None else self.dimensions
        return self.model_copy(
            update={
                "task": self.task.resolved(n_tokens),
                "dimensions": dimensions,
                "baselines": tuple(one.resolved(n_examples, n_tokens, dimensions) for one in self.baselines),
                "training": self.training.resolved(n_examples, n_tokens),
                "replicas": (REPLICAS if is_small else 0) if self.replicas is None else self.replicas,
                "seeds": self.seeds or ((SEEDS if self.split.folds is None else SEEDS_OF_FOLDS) if is_small else 1),
                "precision": self.precision or (64 if is_small else 32),
            }
        )

    def undescribed(self) -> Self:
        """These settings without what only tells people about the tokens: it decides no number."""
        return self.model_copy(update={"tokens": tuple(one.undescribed() for one in self.tokens)})

    @property
    def dtype(self) -> str:
        """The dtype that all methods compute with, by its name in NumPy and PyTorch."""
        return f"float{self.precision or 64}"

    def baseline(self, kind: str) -> Baseline:
        """The settings of the baseline of this kind."""
        return next(baseline for baseline in self.baselines if baseline.kind == kind)

    def numbers(self) -> list[Number]:
        """The columns that are read as numbers."""
        weight = [] if self.weight is None else [Number("weight", self.weight, "and would count nothing")]
        return [*weight, *self.task.numbers()]

    @property
    def token_columns(self) -> tuple[str, ...]:
        """Every column that tokens are made from, in the order of the conf file."""
        return tuple(column for tokens in self.tokens for column in tokens.columns)


def _of_task(kind: str, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """What an editor accepts in a file with this task, as a condition of JSON Schema."""
    training = handler(Training.named(kind).__pydantic_core_schema__)
    baselines = [name for name, one in Baseline.kinds().items() if issubclass(Task.named(kind), one.of_task)]
    known = {"anyOf": [{"enum": baselines}, {"type": "object", "properties": {"kind": {"enum": baselines}}}]}
    task = {"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]}
    then = {"training": training, "baselines": {"anyOf": [known, {"type": "array", "items": known}]}}
    return {"if": {"properties": {"task": task}, "required": ["task"]}, "then": {"properties": then}}


def _with_pca(written: Any, task: str) -> Any:
    """The `baselines` of a file, with PCA added if it is missing; the default if the file names none."""
    if written is None:
        return ["pca", Task.named(task).usual_baselines[0]]
    listed = as_tuple(written)
    if not isinstance(listed, list | tuple):
        return written
    names = [one.get("kind") if isinstance(one, dict) else one for one in listed]
    return listed if "pca" in names else [*listed, "pca"]  # at the end: an error names a baseline by its place
