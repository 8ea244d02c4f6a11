"""Reads metrics from stdin with the parser of prometheus_client and prints them as JSON.

The first argument says which parser: `text` or `openmetrics`.
"""

import json
import math
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text

PARSERS = {"text": text, "openmetrics": openmetrics}


def number(value):
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


def told(family):
    samples = [
        {"name": one.name, "labels": one.labels, "value": number(one.value)}
        for one in family.samples
    ]
    return {
        "name": family.name,
        "type": family.type,
        "what": family.documentation,
        "samples": samples,
    }


families = PARSERS[sys.argv[1]].text_string_to_metric_families(sys.stdin.read())
json.dump([told(family) for family in families], sys.stdout)
