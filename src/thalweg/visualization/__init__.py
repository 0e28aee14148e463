"""What a model looks like, and what it looks at. Functions that compute give arrays, those that ``plot_`` draw them."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.visualization.attribution import grad_cam as grad_cam
from thalweg.visualization.attribution import saliency as saliency
from thalweg.visualization.diagram import plot_model as plot_model
from thalweg.visualization.inside import activations as activations
from thalweg.visualization.inside import filters as filters
from thalweg.visualization.mistakes import Mistakes as Mistakes
from thalweg.visualization.mistakes import worst_mistakes as worst_mistakes
from thalweg.visualization.pictures import plot_activations as plot_activations
from thalweg.visualization.pictures import plot_filters as plot_filters
from thalweg.visualization.pictures import plot_heatmaps as plot_heatmaps
from thalweg.visualization.pictures import plot_images as plot_images

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
