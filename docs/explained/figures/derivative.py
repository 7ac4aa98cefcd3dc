"""The Jacobian of softmax as a heat map, as the scores grow apart."""

import matplotlib.pyplot as plt
from style import GREY

from softmax_regression.functional import softmax, softmax_jacobian

figure, panels = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for axes, factor in zip(panels, (1, 3, 6), strict=True):
    z = [2.0 * factor, 1.0 * factor, 0.0]
    J = softmax_jacobian(z)
    image = axes.imshow(J, cmap="RdBu", vmin=-0.25, vmax=0.25)
    for i in range(3):
        for j in range(3):
            axes.annotate(
                f"{J[i, j]:.3f}".replace("-0.000", "−0"), (j, i), ha="center", va="center"
            )
    axes.set(xticks=range(3), yticks=range(3), xlabel="score j", ylabel="probability i")
    p = ", ".join(f"{x:.3f}" for x in softmax(z))
    axes.set_title(f"scores {z[0]:.0f}, {z[1]:.0f}, 0\np = {p}", color=GREY, fontsize=10)
figure.colorbar(image, ax=panels, label="∂pᵢ / ∂zⱼ", shrink=0.8)
plt.show()
