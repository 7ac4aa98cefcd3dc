"""Cross-entropy of a feed-forward network: forward and backward pass over minibatches.

`layers` says where weights and intercepts lie in the parameter vector, `batches` runs the passes.
"""
