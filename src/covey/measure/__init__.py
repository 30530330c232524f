"""How strongly do these features move together?"""

from covey.measure._associate import associate
from covey.measure._matrix import REASONS, AssociationMatrix
from covey.measure._measure import Measure, get, measures, register

__all__ = ["REASONS", "AssociationMatrix", "Measure", "associate", "get", "measures", "register"]
