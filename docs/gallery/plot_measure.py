"""
How the columns of a census table move together
===============================================

The Adult table has numbers and categories, and missing values. ``auto`` gives one comparable strength between 0 and 1
for every pair of kinds, so that all of them fit into one picture.
"""

import covey

matrix = covey.associate("covey:adult")
matrix.plot().show()

# %%
# The strongest pairs. Marital status and relationship hold nearly the same; so do education and its number.

for left, right, strength in matrix.top(6):
    print(f"{left:16} {right:16} {strength:.2f}")

# %%
# Pearson's coefficient sees straight lines only. Age and hours worked show the difference: the young and the old work
# less, so the relation rises and falls. Distance correlation is 0 for independent columns only, and sees both parts.

pair = ("age", "hours-per-week")
for measure in ("pearson", "spearman", "distance_correlation"):
    print(f"{measure:22} {covey.associate('covey:adult', measure=measure)[pair]:.2f}")
