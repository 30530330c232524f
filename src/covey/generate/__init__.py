"""Which features should I make?"""

from typing import TYPE_CHECKING

from covey._lazy import lazy_names

if TYPE_CHECKING:
    from covey.generate._series_plan import FeatureStream
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
    from covey.generate.signature import SigLasso, SignatureTransformer, path_signature, signature_dim, signature_words
    from covey.generate.timeseries import (
        Difference,
        FeatureProgram,
        Level,
        Shift,
        SpinGas,
        Window,
        expand_programs,
        make_spin_gas,
    )

_HOME = {
    "OPERATORS": "operators",
    "Call": "expression",
    "Difference": "timeseries",
    "EngineeredFormula": "engineered",
    "Expression": "expression",
    "FeatureProgram": "timeseries",
    "FeatureStream": "_series_plan",
    "Level": "timeseries",
    "Number": "expression",
    "Operator": "operators",
    "Shift": "timeseries",
    "SigLasso": "signature",
    "SignatureTransformer": "signature",
    "SpinGas": "timeseries",
    "State": "expression",
    "Variable": "expression",
    "Window": "timeseries",
    "apply_expressions": "expression",
    "call": "expression",
    "engineered_feature": "engineered",
    "expand_programs": "timeseries",
    "fit_expressions": "expression",
    "get_operator": "operators",
    "make_engineered": "engineered",
    "make_spin_gas": "timeseries",
    "parse": "expression",
    "path_signature": "signature",
    "register": "operators",
    "signature_dim": "signature",
    "signature_words": "signature",
}

__all__ = [
    "OPERATORS",
    "Call",
    "Difference",
    "EngineeredFormula",
    "Expression",
    "FeatureProgram",
    "FeatureStream",
    "Level",
    "Number",
    "Operator",
    "Shift",
    "SigLasso",
    "SignatureTransformer",
    "SpinGas",
    "State",
    "Variable",
    "Window",
    "apply_expressions",
    "call",
    "engineered_feature",
    "expand_programs",
    "fit_expressions",
    "get_operator",
    "make_engineered",
    "make_spin_gas",
    "parse",
    "path_signature",
    "register",
    "signature_dim",
    "signature_words",
]

__getattr__ = lazy_names(__name__, _HOME)
