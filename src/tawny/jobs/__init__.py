"""The room of jobs: what authors write, and what turns it into definitions. It knows no database."""

from tawny.jobs.app import App
from tawny.jobs.cron import Cron, CronError, parse_cron, parse_zone
from tawny.jobs.define import RESERVED, define
from tawny.jobs.job import CatchUp, Job, Options, Scope
from tawny.jobs.load import load_app
from tawny.jobs.log import LEVELS
from tawny.jobs.outcome import ResultError, encode_params, encode_result
from tawny.jobs.params import ParamsSchema
from tawny.jobs.port import Port
from tawny.jobs.progress import Progress, Reported, as_stored
from tawny.jobs.retry import delay_before_retry
from tawny.jobs.run import Run
from tawny.jobs.text import clean_text
from tawny.jobs.transaction import Transaction
from tawny.jobs.unique import unique_key

__all__ = [
    "LEVELS",
    "RESERVED",
    "App",
    "CatchUp",
    "Cron",
    "CronError",
    "Job",
    "Options",
    "ParamsSchema",
    "Port",
    "Progress",
    "Reported",
    "ResultError",
    "Run",
    "Scope",
    "Transaction",
    "as_stored",
    "clean_text",
    "define",
    "delay_before_retry",
    "encode_params",
    "encode_result",
    "load_app",
    "parse_cron",
    "parse_zone",
    "unique_key",
]
