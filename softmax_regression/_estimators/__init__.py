"""What the estimators share: validation, encoding of y, streams, prediction, callbacks.

`classifier.BaseSoftmaxClassifier` is the base of all estimators, `linear_classifier` that of the
linear ones. `targets` encodes y, `features` validates X, `offsets` known scores, `penalties` and
`priors` what a penalty is to count, `state` makes fitted objects plain.
"""
