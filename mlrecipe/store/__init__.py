"""Results of computations: records by fingerprint, objects by digest."""

from mlrecipe.store.records import Computation, Record
from mlrecipe.store.store import Store

__all__ = ["Computation", "Record", "Store"]
