"""For every system of the catalogue, a small run that proves it on data at hand."""

from covey.studies._frame import Claim, StudyResult, renew, run, run_all, scrambled, study_of, to_markdown

__all__ = ["Claim", "StudyResult", "renew", "run", "run_all", "scrambled", "study_of", "to_markdown"]
