"""Functions that go wrong, each in its own way; run by AWS's runtime client under the stand-in of Lambda."""

import json
import os
import time


def garbage(_event, _context):
    return "this is no answer of a proxy integration"


def without_status(_event, _context):
    return {"body": "hello"}


def slow(event, _context):
    time.sleep(float(json.loads(event["body"])["wait_s"]))
    return {"statusCode": 200, "body": "late"}


def large(event, _context):
    return {"statusCode": 200, "body": "x" * int(json.loads(event["body"])["size"])}


def raises(_event, _context):
    raise RuntimeError("on purpose")


def leaves(_event, _context):
    os._exit(3)


def echo(event, _context):
    body = event.get("body")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"event": event, "size": len(body or "")}),
    }
