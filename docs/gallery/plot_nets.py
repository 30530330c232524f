"""
One image with the values of another
====================================

A block for style transfer gives the features of one image the distribution of another's. Matching mean and standard
deviation (``AdaIN``) leaves the shape of the distribution as it was; ``EFDM`` matches all of it. Here a feature is a
pixel of a handwritten digit.
"""

import numpy as np
import plotly.graph_objects as go
import torch
from sklearn.datasets import load_digits

from covey.nets.blocks import EFDM, AdaIN

images = torch.tensor(load_digits().images, dtype=torch.float32)[:, None]
content, style = images[0:1], images[8:9]
made = {"EFDM": EFDM()(content, style), "AdaIN": AdaIN()(content, style)}
for name, image in made.items():
    print(f"{name:5} smallest {image.min():.2f}, largest {image.max():.2f}")
print(f"style smallest {style.min():.2f}, largest {style.max():.2f}")

# %%
# The sorted pixels. Those of EFDM lie on the style's.

figure = go.Figure()
for name, image in {"content": content, "style": style, **made}.items():
    sorted_pixels = np.sort(image.numpy().ravel())
    figure.add_scatter(
        x=np.arange(sorted_pixels.size),
        y=sorted_pixels,
        mode="lines",
        name=name,
        line={"dash": "dash" if name == "EFDM" else "solid"},
    )
figure.update_layout(xaxis_title="pixels, sorted by value", yaxis_title="value")
figure.show()
