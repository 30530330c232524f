"""Which features should I make?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.generate.engineered import EngineeredFormula, engineered_feature, make_engineered
    from covey.generate.expression import (
        Call,
        Expression,
        Number,
        State,
        Variable,
        apply_expressions,
        call,
        fit_expressions,
        parse,
    )
    from covey.generate.operators import OPERATORS, Operator, get_operator, register

_HOME = {
    "OPERATORS": "operators",
    "Call": "expression",
    "EngineeredFormula": "engineered",
    "Expression": "expression",
    "Number": "expression",
    "Operator": "operators",
    "State": "expression",
    "Variable": "expression",
    "apply_expressions": "expression",
    "call": "expression",
    "engineered_feature": "engineered",
    "fit_expressions": "expression",
    "get_operator": "operators",
    "make_engineered": "engineered",
    "parse": "expression",
    "register": "operators",
}

__all__ = [
    "OPERATORS",
    "Call",
    "EngineeredFormula",
    "Expression",
    "Number",
    "Operator",
    "State",
    "Variable",
    "apply_expressions",
    "call",
    "engineered_feature",
    "fit_expressions",
    "get_operator",
    "make_engineered",
    "parse",
    "register",
]

__getattr__ = lazy_names(__name__, _HOME)
