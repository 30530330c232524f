"""
Groups of features that say the same
====================================

The breast cancer data hold 30 measurements of cell nuclei. Many are functions of each other: radius, perimeter and area
of the same nucleus. The tree shows which stand together, and at what strength.
"""

from sklearn.datasets import load_breast_cancer

import covey

data = load_breast_cancer(as_frame=True)
groups = covey.feature_groups(data.data, threshold=0.8)
groups.dendrogram().update_layout(height=520).show()

# %%
# The groups of two features or more:

for group in groups.shared:
    print(", ".join(group))

# %%
# What one feature of each group keeps of the group's associations with the rest of the table, and with the target:

for group in covey.redundancy(data.frame, threshold=0.8, target="target"):
    print(
        f"{group.representative:22} stands for {len(group.others)}: keeps {group.association_kept:.0%} "
        f"of their associations, {group.relevance_kept:.0%} of what they say about the target"
    )
