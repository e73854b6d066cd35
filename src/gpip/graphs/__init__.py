"""Configurations as graphs: neighbour lists with periodic images, batches of frames."""

from gpip.graphs.batching import graph_from_frames
from gpip.graphs.graph import Graph
from gpip.graphs.neighbours import neighbour_list
from gpip.graphs.skin import SkinNeighbours

__all__ = ["Graph", "SkinNeighbours", "graph_from_frames", "neighbour_list"]
