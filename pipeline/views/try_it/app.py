"""The page, run by Streamlit: `streamlit run app.py -- FOLDER`, the folder of a model as MLflow made it."""

import sys
from pathlib import Path

import streamlit as st

from pipeline.errors import PipelineError
from pipeline.inference.model import Model
from pipeline.inference.predictor import Predictor
from pipeline.inference.recommender import Recommender
from pipeline.views.try_it.prediction import predict
from pipeline.views.try_it.recommendation import recommend

_LOOK = """\
<style>
    .block-container {padding-top: 2.2rem; max-width: 1400px}
    h1 {font-size: 1.7rem !important; padding-bottom: 0 !important}
    [data-testid="stHeader"], [data-testid="stToolbar"] {display: none}
</style>
"""


@st.cache_resource(show_spinner="loading the model")
def _model(folder: str) -> Model:
    return Model.load(Path(folder))


def main() -> None:
    """Draw the page."""
    model = _model(sys.argv[1])
    st.set_page_config(f"{model.facts['name']}: try it", layout="wide")
    st.markdown(_LOOK, unsafe_allow_html=True)
    try:
        if isinstance(model, Recommender):
            recommend(model)
        elif isinstance(model, Predictor):
            predict(model)
    except PipelineError as error:
        st.error(str(error))
    st.caption(f"{model.conf.description}  \nThe champion: {model.facts['said']}")


if __name__ == "__main__":
    main()
