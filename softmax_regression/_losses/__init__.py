"""Cross-entropy as a function of the scores of a block of rows, and its derivatives.

`pointwise.make_loss` chooses the loss by the number of classes, and `offset` adds known scores to
those of a model. `batch_targets` holds the targets of minibatches. `targets` holds the labels or
probabilities and the weights of all rows, and `row_scores` computes a score of each row.
"""
