"""A function that takes its time to start, and then as long for a request as it is asked to."""

import json
import os
import time

time.sleep(float(os.environ["START_S"]))


def handler(event, _context):
    time.sleep(float(json.loads(event["body"]).get("wait_s", 0)))
    return {"statusCode": 200, "body": "started"}
