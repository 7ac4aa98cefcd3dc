"""Cross-entropy of a feed-forward network: forward and backward pass over minibatches.

`layers` defines the layout of weights and intercepts in the parameter vector and the passes through
the layers; `batches` runs the passes over the batches of an epoch.
"""
