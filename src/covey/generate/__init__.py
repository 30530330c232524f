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
    from covey.generate.meta import (
        MetaFeatureEngineer,
        TransformationMemory,
        TransformationRecommender,
        build_memory,
        default_memory,
        transformation_gains,
    )
    from covey.generate.operators import OPERATORS, Operator, get_operator, register
    from covey.generate.search import Columns, FeatureBoostScorer, OpenFE, OpenFEGenerator, first_order_candidates
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
    "Columns": "search",
    "Difference": "timeseries",
    "EngineeredFormula": "engineered",
    "Expression": "expression",
    "FeatureBoostScorer": "search",
    "FeatureProgram": "timeseries",
    "FeatureStream": "_series_plan",
    "Level": "timeseries",
    "MetaFeatureEngineer": "meta",
    "Number": "expression",
    "OpenFE": "search",
    "OpenFEGenerator": "search",
    "Operator": "operators",
    "Shift": "timeseries",
    "SigLasso": "signature",
    "SignatureTransformer": "signature",
    "SpinGas": "timeseries",
    "State": "expression",
    "TransformationMemory": "meta",
    "TransformationRecommender": "meta",
    "Variable": "expression",
    "Window": "timeseries",
    "apply_expressions": "expression",
    "build_memory": "meta",
    "call": "expression",
    "default_memory": "meta",
    "engineered_feature": "engineered",
    "expand_programs": "timeseries",
    "first_order_candidates": "search",
    "fit_expressions": "expression",
    "get_operator": "operators",
    "make_engineered": "engineered",
    "make_spin_gas": "timeseries",
    "parse": "expression",
    "path_signature": "signature",
    "register": "operators",
    "signature_dim": "signature",
    "signature_words": "signature",
    "transformation_gains": "meta",
}

__all__ = [
    "OPERATORS",
    "Call",
    "Columns",
    "Difference",
    "EngineeredFormula",
    "Expression",
    "FeatureBoostScorer",
    "FeatureProgram",
    "FeatureStream",
    "Level",
    "MetaFeatureEngineer",
    "Number",
    "OpenFE",
    "OpenFEGenerator",
    "Operator",
    "Shift",
    "SigLasso",
    "SignatureTransformer",
    "SpinGas",
    "State",
    "TransformationMemory",
    "TransformationRecommender",
    "Variable",
    "Window",
    "apply_expressions",
    "build_memory",
    "call",
    "default_memory",
    "engineered_feature",
    "expand_programs",
    "first_order_candidates",
    "fit_expressions",
    "get_operator",
    "make_engineered",
    "make_spin_gas",
    "parse",
    "path_signature",
    "register",
    "signature_dim",
    "signature_words",
    "transformation_gains",
]

__getattr__ = lazy_names(__name__, _HOME)
