"""The chain in a Dagster project of your own: as a component for a `defs.yaml`, and as a function for Python code."""

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from assets.definitions import dataset_definitions
from pipeline.config.dataset import Dataset
from pipeline.config.files import load


def embedding_assets(conf: str | Path, records: dg.AssetKey | str | Sequence[str] | None = None) -> dg.Definitions:
    """The assets of one conf file, with a job, a schedule, sensors and resources, to merge with those of a project.

    Example:
        `defs = dg.Definitions.merge(embedding_assets("conf/books.yaml", records="loans"), dg.Definitions([loans]))`

    Args:
        conf: the conf file, from whose folder relative paths start.
        records: the key of an asset of the project whose value takes the place of the source: a frame of Polars, pandas
            or Arrow, or the path of a file. The other keys of the file's `source`, such as `where`, stay as they are;
            only `period` is left out.

    Raises:
        PipelineError: the conf file is not valid; it names the line.
    """
    path = Path(conf).absolute()
    dataset = load(path)
    if records is not None:
        source = dataset.source.model_copy(
            update={
                "asset": dg.AssetKey.from_coercible(records).to_user_string(),
                "path": None,
                "sample": None,
                "database": None,
                "query": None,
                "period": None,
            }
        )
        dataset = dataset.model_copy(update={"source": source})
    return dataset_definitions(dataset, path.parent)


class Attributes(Dataset):
    """The keys of a conf file, and a name."""

    name: str = Field("", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the dataset, its group and its job. Default: the name of the component's folder."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What an editor accepts: a conf file, and the name."""
        made = super().__get_pydantic_json_schema__(schema, handler)
        field = cls.model_fields["name"]
        described = {"type": "string", "description": field.description}
        handler.resolve_ref_schema(made)["properties"]["name"] = described
        return made


class EmbeddingDataset(dg.Component):
    """Learns an embedding from sparse records: vocabulary, sparse examples, the fits, PCA, comparison, pages.

    The attributes are the keys of a conf file. `source: {asset: shop/loans}` takes the value of an asset of yours. An
    asset of yours that takes one of these as `pathlib.Path` gets the folder with its files.
    """

    def __init__(self, conf: Dataset) -> None:
        """Take the settings of one dataset."""
        self.conf = conf

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What the attributes may be."""
        return Attributes

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg list components` says of it."""
        return dg.ComponentTypeSpec(
            description=cls.__doc__, produces=["asset", "asset_check", "job", "schedule", "sensor"]
        )

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "EmbeddingDataset":
        """The component of a `defs.yaml`."""
        assert isinstance(attributes, Attributes)
        name = attributes.name or re.sub(r"\W", "_", context.path.name)
        return cls(attributes.model_copy(update={"name": name}))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of the dataset; relative paths start at the component's folder."""
        return dataset_definitions(self.conf, context.path)
