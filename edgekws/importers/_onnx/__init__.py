"""What the two ONNX importers share: reading a file, the values between its nodes, and the nodes of the graph.

file        a sound file with one input and one output, or an ArtifactError
views       how the axes of a tensor in the file lie on height, width and channels
values      what stands between two nodes: integers of the graph, real numbers, sums that wait for their rounding
rounding    the requantization of a sum: the exact floor where there is one, else a fixed-point multiplier
nodes       builds the nodes of the graph
reader      walks through the file; layers, elementwise, moves and quantized have a function for each operation
"""
