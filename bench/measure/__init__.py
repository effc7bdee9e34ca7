"""What is measured of a variant: one file per measurement. Called, it is ``bench.own.measuring.measure``.

``bench.measure(model, inputs)`` and ``from bench.measure import latency`` are both to work, and an import makes this
package the attribute ``measure`` of ``bench`` whatever stood there: so the package itself can be called.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Measure(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from bench.own.measuring import measure

        return measure(*args, **options)


sys.modules[__name__].__class__ = _Measure
