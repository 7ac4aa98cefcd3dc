"""Cross-entropy as a function of the scores of a block of rows: value and derivatives.

`pointwise.make_loss` chooses by the number of classes and the kind of targets, `offset` adds known
scores to those of the rows. `batch_targets` holds the targets of the rows of a minibatch.
"""
